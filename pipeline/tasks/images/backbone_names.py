"""Checks names of backbones without loading Keras, so that a typo is found before data is read.

Imports neither Keras nor TensorFlow: it reads the source text of `keras.applications`.
"""

from __future__ import annotations

import ast
import difflib
import functools
import importlib.util
import pathlib
from collections.abc import Iterable

from dlpipe.errors import BadInputError

CNN, SQUEEZENET = "cnn", "squeezenet"
PUBLISHED = "imagenet"  # weights that Keras downloads
NO_CONSTRUCTORS = ("preprocess_input", "decode_predictions")

# The first bytes of a Keras weights file.
_HDF5 = b"\x89HDF\r\n\x1a\n"


def check_backbone(name: str) -> None:
  """Raises `BadInputError` if no backbone has this name.

  Raises:
    BadInputError: the name is unknown; the message suggests the nearest one.
  """
  known = application_names()
  # If Keras keeps them elsewhere, `backbones.get_backbone` asks Keras later.
  if known:
    check_known(name, {*known, CNN, SQUEEZENET})


def check_known(name: str, known: Iterable[str]) -> None:
  """Raises `BadInputError` if the name is not in `known`, which is in lower case."""
  names = sorted(known)
  if name.lower() not in names:
    close = difflib.get_close_matches(name.lower(), names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise BadInputError(f"Unknown model.backbone={name!r}.{hint} Known: {', '.join(names)}.")


def check_weights(backbone: str, weights: str) -> None:
  """Raises `BadInputError` if the weights cannot fit, by their name and a file's first bytes.

  Raises:
    BadInputError: the file does not exist or is not a Keras weights file.
  """
  if weights == PUBLISHED:
    if backbone.lower() == SQUEEZENET:
      raise BadInputError(
        "SqueezeNet's weights are not published by Keras. Give a local file: "
        "--set model.weights=FILE.h5, or model.weights=null to start from random ones."
      )
    return
  file = pathlib.Path(weights).resolve()
  if not file.is_file():
    raise BadInputError(f"model.weights must be 'imagenet' or a file. Not found: {str(file)!r}")
  with file.open("rb") as opened:
    head = opened.read(len(_HDF5))
  if head != _HDF5:
    raise BadInputError(
      f"model.weights must be a file of Keras' weights without top, such as FILE.h5. {str(file)!r} "
      f"does not begin as HDF5 does: {head!r}"
    )


@functools.cache
def application_names() -> frozenset[str]:
  """Returns the constructors of `keras.applications` in lower case; empty if there is no text."""
  spec = importlib.util.find_spec("keras")
  found: set[str] = set()
  for root in (spec.submodule_search_locations or ()) if spec else ():
    # Keras has moved its public packages from api/ to the top.
    for file in pathlib.Path(root).glob("**/applications/*/__init__.py"):
      if "_tf_keras" not in file.parts:
        names = _imported(file)
        found |= names if "preprocess_input" in names else set()
  return frozenset(name.lower() for name in found if name not in NO_CONSTRUCTORS)


def _imported(file: pathlib.Path) -> set[str]:
  tree = ast.parse(file.read_text(encoding="utf-8"))
  return {
    alias.asname or alias.name
    for node in tree.body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
  }
