"""Refuses to explain where a model has no signature `explain`."""

from __future__ import annotations

from collections.abc import Collection

from dlpipe.errors import BadInputError
from pipeline.explanations.values import EXPLAIN, WITHOUT


def require_explain(signatures: Collection[str], where: str) -> None:
  """Checks that a model has the signature.

  Args:
    signatures: names of its signatures.
    where: what to call the model in the message.

  Raises:
    BadInputError: it has none.
  """
  if EXPLAIN not in signatures:
    raise BadInputError(f"{where} has no signature {EXPLAIN!r}, so it cannot say why: {WITHOUT}.")
