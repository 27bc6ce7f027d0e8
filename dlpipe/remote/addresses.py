"""Tells an address such as `s3://bucket/a` from a path. Imports only the standard library."""

from __future__ import annotations

import re

# What `stores` can open.
SCHEMES = ("s3", "gs", "hdfs", "https", "http")
# What it can write to.
WRITABLE = ("s3", "gs", "hdfs")
_ADDRESS = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://(.*)", re.DOTALL)


def scheme_of(path: str) -> str | None:
  """Returns the scheme of an address, in small letters; None for a path.

  >>> scheme_of("S3://bucket/a"), scheme_of("C:/data"), scheme_of("data/a")
  ('s3', None, None)
  """
  found = _ADDRESS.match(path)
  return found[1].lower() if found else None


def is_remote(path: str) -> bool:
  """Returns whether a path is an address that can be read.

  >>> is_remote("gs://bucket/a"), is_remote("ftp://host/a"), is_remote("/data")
  (True, False, False)
  """
  return scheme_of(path) in SCHEMES


def rest_of(address: str) -> str:
  """Returns what follows the scheme, without slashes at the end.

  >>> rest_of("s3://bucket/pictures/")
  'bucket/pictures'
  """
  found = _ADDRESS.match(address)
  return (found[2] if found else address).rstrip("/")
