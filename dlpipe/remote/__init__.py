"""Addresses of object stores and web servers: read by copying here, written by copying there."""
