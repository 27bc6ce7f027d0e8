"""The gRPC face. `import grpc` is the library everywhere: imports are absolute."""
