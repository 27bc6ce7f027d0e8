"""Addresses of object stores and web servers: `copying` brings them here, `publishing` there."""
