"""How batches are put together: reads and checks `BatchingParameters`.

Source: session_bundle_config.proto and bundle_factory_util.cc of
tensorflow_serving/servables/tensorflow.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from serving.errors import InvalidArgument
from serving.protos import BatchingParameters, read_text_proto


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchOptions:
  """TensorFlow Serving's parameters with its defaults.

  Attributes:
    max_batch_size: most rows of one batch.
    timeout_s: seconds that a batch waits for more rows after its first.
    max_enqueued_batches: batches of one queue; beyond them requests are refused.
    threads: batches that run at the same time, over all models.
    allowed_sizes: sizes that batches are padded to; none means any.
    pads_inputs: whether requests of different shapes are padded to one.
    splits_large: whether a request may be larger than a batch.
    max_execution_size: most rows of one run if requests are split.
  """

  max_batch_size: int = 1000
  timeout_s: float = 0.0
  max_enqueued_batches: int = 10
  threads: int = os.cpu_count() or 1
  allowed_sizes: tuple[int, ...] = ()
  pads_inputs: bool = False
  splits_large: bool = False
  max_execution_size: int = 1000


def read_options(path: str) -> BatchOptions:
  """Returns the options of a text file.

  Raises:
    NotFound: there is no such file.
    InvalidArgument: it is not BatchingParameters, or they contradict each other.
  """
  return _options(read_text_proto(path, BatchingParameters()))


def _options(given: Any) -> BatchOptions:
  defaults = BatchOptions()

  def value(name: str, default: int) -> int:
    return int(getattr(given, name).value) if given.HasField(name) else default

  size = value("max_batch_size", defaults.max_batch_size)
  splits = given.enable_large_batch_splitting.value
  execution_size = value("max_execution_batch_size", size) if splits else size
  options = BatchOptions(
    max_batch_size=size,
    timeout_s=value("batch_timeout_micros", 0) / 1e6,
    max_enqueued_batches=value("max_enqueued_batches", defaults.max_enqueued_batches),
    threads=value("num_batch_threads", defaults.threads),
    allowed_sizes=tuple(given.allowed_batch_sizes),
    pads_inputs=given.pad_variable_length_inputs,
    splits_large=splits,
    max_execution_size=execution_size,
  )
  _check(options)
  return options


def _check(options: BatchOptions) -> None:
  for name in ("max_batch_size", "max_enqueued_batches", "threads", "max_execution_size"):
    if getattr(options, name) < 1:
      raise InvalidArgument(f"{name} must be positive; was {getattr(options, name)}")
  if options.timeout_s < 0:
    raise InvalidArgument("batch_timeout_micros must be non-negative")
  if options.max_execution_size > options.max_batch_size:
    raise InvalidArgument(
      f"max_execution_batch_size ({options.max_execution_size}) must not be larger than "
      f"max_batch_size ({options.max_batch_size})"
    )
  sizes = options.allowed_sizes
  if not sizes:
    return
  if list(sizes) != sorted(set(sizes)):
    raise InvalidArgument("allowed_batch_sizes entries must be monotonically increasing")
  if sizes[-1] != options.max_execution_size:
    raise InvalidArgument(
      "Last entry in allowed_batch_sizes must match max_batch_size; last entry was "
      f"{sizes[-1]}; expected {options.max_execution_size}"
    )
