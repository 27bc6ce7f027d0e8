"""A version in memory, which requests hold while they use it, and how a request names one.

Source: tensorflow_serving/core/{servable_handle.h,loader_harness.cc}.
"""

from __future__ import annotations

import dataclasses
import pathlib
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from serving.models.sessions import Array, Runnable

SERVING_DEFAULT = "serving_default"


@dataclasses.dataclass(frozen=True)
class ModelSpec:
  """The model that a request is for.

  Attributes:
    name: the model's name.
    version: a version's number, or None.
    label: a name that the configuration gives to a version, or None.
    signature: the signature's name as the request has it; empty means `serving_default`.
  """

  name: str
  version: int | None = None
  label: str | None = None
  signature: str = ""

  @property
  def signature_name(self) -> str:
    """The signature's name, `serving_default` if the request has none."""
    return self.signature or SERVING_DEFAULT


@dataclasses.dataclass(slots=True)
class Run:
  """One run of a graph for a request.

  Attributes:
    timeout_s: seconds after which the run is given up; None for never.
    seconds: how long the run took, once it is over.
    examples: number of rows, if they can be counted; else 0.
    started: when the request came, on the clock of `time.perf_counter`; 0.0 if unknown.
    client_id: the name that the caller gave to the request; empty if none.
  """

  timeout_s: float | None = None
  seconds: float = 0.0
  examples: int = 0
  started: float = 0.0
  client_id: str = ""


class Servable:
  """One loaded version of one model.

  A `with` block holds the version: it is not freed before all blocks are left.
  """

  def __init__(
    self,
    name: str,
    version: int,
    *,
    runner: Runnable,
    signatures: Mapping[str, Any],
    path: pathlib.Path | None = None,
  ):
    """Takes over a loaded version.

    Args:
      name: the model's name.
      version: the version's number.
      runner: runs the graph.
      signatures: name to `SignatureDef`.
      path: the folder that the version was read from, if there is one.
    """
    self.name = name
    self.version = version
    self.runner = runner
    self.signatures = signatures
    self.path = path
    # By signature, sorted by name, so that of several wrong inputs always the same one is named.
    self.inputs: Mapping[str, Mapping[str, Any]] = {
      key: dict(sorted(signature.inputs.items())) for key, signature in signatures.items()
    }
    # By signature, output name to tensor name.
    self.outputs: Mapping[str, Mapping[str, str]] = {
      key: {name: signature.outputs[name].name for name in sorted(signature.outputs)}
      for key, signature in signatures.items()
    }
    self._holders = 0
    self._is_leaving = False
    self._changed = threading.Condition(threading.Lock())

  def execute(self, feeds: Mapping[str, Array], fetches: Sequence[str], run: Run) -> list[Array]:
    """Runs the graph; returns arrays of the tensors named by `fetches`."""
    started = time.perf_counter()
    try:
      return self.runner.run(feeds, fetches, run.timeout_s)
    finally:
      run.seconds = time.perf_counter() - started

  def acquire(self) -> bool:
    """Holds the version for a request; returns False if it is being unloaded."""
    with self._changed:
      if self._is_leaving:
        return False
      self._holders += 1
      return True

  def release(self) -> None:
    """Ends what `acquire` began."""
    with self._changed:
      self._holders -= 1
      if self._is_leaving and not self._holders:
        self._changed.notify_all()

  def drain(self) -> None:
    """Refuses new holders and waits until the last one has left."""
    with self._changed:
      self._is_leaving = True
      while self._holders:
        self._changed.wait()

  def __enter__(self) -> Servable:
    return self

  def __exit__(self, *exc_info: object) -> None:
    self.release()
