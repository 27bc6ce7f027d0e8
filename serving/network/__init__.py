"""What both ports stand on: sockets, TLS, and the threads that wait for them."""
