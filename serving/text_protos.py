"""Reads the text-format files that flags name."""

from __future__ import annotations

import logging
import pathlib
from typing import Any

from google.protobuf import text_format

from serving.errors import InvalidArgument, NotFound

_LOG = logging.getLogger(__name__)


def read_text_proto(path: str, message: Any) -> Any:
  """Fills a message from a file and returns it.

  Raises:
    NotFound: there is no such file, or it cannot be read.
    InvalidArgument: it is not the message's text format; names the place.
  """
  try:
    text = pathlib.Path(path).read_text(encoding="utf-8")
  except OSError as err:
    raise NotFound(f"{path}; {err.strerror}") from err
  except UnicodeDecodeError as err:
    raise InvalidArgument(f"{path} is not UTF-8 text: {err}") from err
  try:
    return text_format.Parse(text, message)
  except text_format.ParseError as err:
    told = f"Error parsing text-format {message.DESCRIPTOR.full_name}: {err}"
    _LOG.error("%s", told)  # on stderr, where TensorFlow Serving's own tests look for it
    raise InvalidArgument(f"Invalid protobuf file: '{path}'. {told}") from err
