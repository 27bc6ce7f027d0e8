"""Reads BatchingParameters."""

import pytest

from serving.batching.parameters import BatchOptions, read_options
from serving.errors import InvalidArgument


def _read(tmp_path, text):
  (tmp_path / "f").write_text(text)
  return read_options(str(tmp_path / "f"))


def test_defaults(tmp_path):
  assert _read(tmp_path, "") == BatchOptions()
  assert BatchOptions().max_batch_size == 1000


def test_all_of_it(tmp_path):
  assert _read(
    tmp_path,
    "max_batch_size { value: 8 } batch_timeout_micros { value: 1500 } "
    "thread_pool_name { value: 'p' }"
    "max_enqueued_batches { value: 3 } num_batch_threads { value: 2 } allowed_batch_sizes: [2, 4]"
    "pad_variable_length_inputs: true enable_large_batch_splitting { value: true }"
    "max_execution_batch_size { value: 4 }",
  ) == BatchOptions(
    max_batch_size=8,
    timeout_s=0.0015,
    max_enqueued_batches=3,
    threads=2,
    allowed_sizes=(2, 4),
    pads_inputs=True,
    splits_large=True,
    max_execution_size=4,
  )


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("max_batch_size { value: 0 }", "max_batch_size must be positive; was 0"),
    ("num_batch_threads { value: -1 }", "threads must be positive; was -1"),
    ("batch_timeout_micros { value: -1 }", "batch_timeout_micros must be non-negative"),
    (
      "max_batch_size { value: 8 } allowed_batch_sizes: [4, 2, 8]",
      "allowed_batch_sizes entries must be monotonically increasing",
    ),
    (
      "max_batch_size { value: 8 } allowed_batch_sizes: [4, 6]",
      "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 6; expected 8",
    ),
    ("max_batch_size: 8", "Invalid protobuf file: '"),
  ],
)
def test_what_cannot_be(tmp_path, text, message):
  with pytest.raises(InvalidArgument) as refused:
    _read(tmp_path, text)
  assert str(refused.value).startswith(message)


def test_sizes_grow(tmp_path):
  with pytest.raises(InvalidArgument, match="must be monotonically increasing"):
    _read(tmp_path, "max_batch_size { value: 8 } allowed_batch_sizes: [4, 4, 8]")


def test_the_size_of_a_run_counts_where_requests_are_split(tmp_path):
  text = "max_batch_size { value: 8 } max_execution_batch_size { value: 4 }"
  assert _read(tmp_path, text).max_execution_size == 8
  split = _read(tmp_path, f"{text} enable_large_batch_splitting {{ value: true }}")
  assert split.max_execution_size == 4
