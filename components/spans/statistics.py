"""`StatisticsGen` over a window: TFX's, whose counts of each span are kept and added up.

TFDV computes statistics by combiners. What a combiner has counted of a span is kept beside the
span; a window's statistics are the sum of them, not of statistics that are finished already. So
they are those of one pass over all rows, but for sketches: quantiles and counts of very many
distinct values depend a little on the order.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import pathlib
import pickle
from collections.abc import Iterable, Iterator
from importlib import metadata
from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow as tf
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx.components import StatisticsGen as TfxStatisticsGen
from tfx.components.statistics_gen import executor as tfx_executor
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils
from tfx_bsl.coders import example_coder

from components.spans import kept
from components.spans.together import Parts
from dlpipe.disk.whole_files import write_whole
from dlpipe.records import SPLITS

# Rows are counted together up to either, so that pictures do not fill the memory.
_BATCH_ROWS, _BATCH_BYTES = 1000, 16 << 20


class Executor(tfx_executor.Executor):
  """Counts the spans that were not counted before, and adds up."""

  def Do(self, input_dict, output_dict, exec_properties):  # noqa: N802 - TFX's name
    """Writes the artifact `statistics`, as TFX's executor does."""
    examples = artifact_utils.get_single_instance(input_dict[standard_component_specs.EXAMPLES_KEY])
    parts = Parts.read(pathlib.Path(examples.uri))
    if parts is None:
      super().Do(input_dict, output_dict, exec_properties)
      return
    self._log_startup(input_dict, output_dict, exec_properties)
    options = tfdv.StatsOptions.from_json(
      exec_properties[standard_component_specs.STATS_OPTIONS_JSON_KEY]
    )
    schema_uri = artifact_utils.get_single_uri(input_dict[standard_component_specs.SCHEMA_KEY])
    schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema_uri))
    statistics = artifact_utils.get_single_instance(
      output_dict[standard_component_specs.STATISTICS_KEY]
    )
    statistics.split_names = examples.split_names
    statistics.span = examples.span
    count = Counting(options.to_json(), text_format.MessageToString(schema))
    tasks = [
      (os.path.join(parts.root, "kept", folder), split, _files(examples, split, names))
      for folder, by_split in parts.files.items()
      for split, names in by_split.items()
    ]
    todo = [task for task in tasks if count.kept(task[0], task[1]) is None]
    with self._make_beam_pipeline() as pipeline:
      _ = pipeline | "Spans" >> beam.Create(todo) | "Count" >> beam.Map(count.count_and_keep)
    for split in SPLITS:
      found = (
        count.kept(folder, of) or count.count(files) for folder, of, files in tasks if of == split
      )
      uri = artifact_utils.get_split_uri([statistics], split)
      os.makedirs(uri, exist_ok=True)
      path = os.path.join(uri, tfx_executor.DEFAULT_FILE_NAME)
      pathlib.Path(path).write_bytes(count.statistics(found).SerializeToString())


class StatisticsGen(TfxStatisticsGen):
  """TFX's StatisticsGen, for examples that were put together from spans."""

  EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)


class Counting:
  """What TFDV's combiners count of some files; travels to Beam's workers."""

  def __init__(self, options: str, schema: str):
    """Takes the options as `StatsOptions.to_json`, without a schema, and the schema as text."""
    self._options, self._schema = options, schema
    said = f"{options}\0{schema}\0{metadata.version('tensorflow-data-validation')}"
    self._name = hashlib.sha256(said.encode()).hexdigest()[:16]

  def kept(self, folder: str, split: str) -> list[Any] | None:
    """Returns what is kept of a span's split; None if nothing is, or it cannot be used."""
    try:
      # Our own file, in a folder that we alone write.
      return list(pickle.loads(self._path(folder, split).read_bytes()))
    except (OSError, EOFError, ValueError, AttributeError, ImportError, pickle.UnpicklingError):
      return None

  def count_and_keep(self, task: tuple[str, str, list[str]]) -> None:
    """Counts the files of a span's split, and keeps the counts and the statistics beside it."""
    folder, split, files = task
    counted = self.count(files)
    path = self._path(folder, split)
    if not (pathlib.Path(folder) / kept.KeptSpan.FILE).exists():
      return  # cleaned meanwhile
    write_whole(path, pickle.dumps(counted))
    write_whole(path.with_suffix(".pb"), self.statistics([counted]).SerializeToString())

  def count(self, files: list[str]) -> list[Any]:
    """Returns the combiners' accumulators for all rows of the files."""
    generators = self._generators()
    found = [each.create_accumulator() for each in generators]
    for batch in _batches(files):
      found = [each.add_input(own, batch) for each, own in zip(generators, found, strict=True)]
    return [each.compact(own) for each, own in zip(generators, found, strict=True)]

  def statistics(self, counted: Iterable[list[Any]]) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Merges what was counted into statistics; only one count at a time is in memory."""
    generators = self._generators()
    merged = [each.create_accumulator() for each in generators]
    for found in counted:
      merged = [
        each.merge_accumulators([sum_, own])
        for each, sum_, own in zip(generators, merged, found, strict=True)
      ]
    return stats_impl.extract_statistics_output(merged, generators)

  def _path(self, folder: str, split: str) -> pathlib.Path:
    return pathlib.Path(folder) / kept.STATISTICS / self._name / f"{split}.pickle"

  def _generators(self) -> list[Any]:
    options = tfdv.StatsOptions.from_json(self._options)
    options.schema = text_format.Parse(self._schema, schema_pb2.Schema())
    generators = stats_impl.get_generators(options, in_memory=True)
    for each in generators:
      each.setup()
    return generators


def _files(examples: Any, split: str, names: list[str]) -> list[str]:
  uri = artifact_utils.get_split_uri([examples], split)
  return [os.path.join(uri, name) for name in names]


def _batches(files: list[str]) -> Iterator[pa.RecordBatch]:
  """Yields the rows of files of gzipped TFRecords, as TFX's readers of raw tf.Examples do."""
  decoder = example_coder.ExamplesToRecordBatchDecoder()
  rows: list[bytes] = []
  size = 0
  for row in itertools.chain.from_iterable(
    tf.data.TFRecordDataset(file, compression_type="GZIP").as_numpy_iterator() for file in files
  ):
    rows.append(row)
    size += len(row)
    if len(rows) >= _BATCH_ROWS or size >= _BATCH_BYTES:
      yield decoder.DecodeBatch(rows)
      rows, size = [], 0
  if rows:
    yield decoder.DecodeBatch(rows)
