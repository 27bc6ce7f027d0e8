"""TensorFlow Serving's REST face: HTTP, routes, JSON bodies. Imports no gRPC."""
