"""A small transform graph with its examples, and TFMA results over hand-made values."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.server
import importlib.util
import json
import pathlib
import threading

import pytest


@dataclasses.dataclass(frozen=True, kw_only=True)
class Graph:
  """What a Transform of the images task leaves, and what it was made of.

  Attributes:
    path: the transform graph's directory.
    output: the same as a `TFTransformOutput`.
    files: a gzipped TFRecord of `examples`, in a list.
    examples: serialized tf.Examples with `image` and `label`.
    pictures: the encoded pictures, in the order of `examples`.
    labels: their labels; the vocabulary is `["cat", "dog"]`.
  """

  path: str
  output: object
  files: list[str]
  examples: list[bytes]
  pictures: list[bytes]
  labels: list[str]


SIZE = 12
_ROWS = 20


@pytest.fixture(scope="session")
def graph(tmp_path_factory, make_picture) -> Graph:
  """20 random pictures, 12 "cat" and 8 "dog", through the images task's own preprocessing_fn."""
  import apache_beam as beam
  import tensorflow as tf
  import tensorflow_transform as tft
  import tensorflow_transform.beam as tft_beam
  from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

  from pipeline.tasks.images.params import ImageParams
  from pipeline.tasks.images.preprocessing import preprocessing_fn

  root = tmp_path_factory.mktemp("graph")
  pictures = [make_picture(seed=i, width=SIZE, height=SIZE) for i in range(_ROWS)]
  labels = ["dog" if i % 5 in (1, 3) else "cat" for i in range(_ROWS)]
  spec = {name: tf.io.FixedLenFeature([], tf.string) for name in ("image", "label")}
  metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
  rows = [{"image": p, "label": name.encode()} for p, name in zip(pictures, labels, strict=True)]
  metadata_io.write_metadata(metadata, str(root / "graph" / "metadata"))
  with (
    beam.Pipeline(options=_in_process()) as pipeline,
    tft_beam.Context(temp_dir=str(root / "temp")),
  ):
    transform_fn = (pipeline | beam.Create(rows), metadata) | tft_beam.AnalyzeDataset(
      lambda inputs: preprocessing_fn(inputs, ImageParams(image_size=SIZE))
    )
    _ = transform_fn | tft_beam.WriteTransformFn(str(root / "graph"))
  examples = [_example(**row) for row in rows]
  return Graph(
    path=str(root / "graph"),
    output=tft.TFTransformOutput(str(root / "graph")),
    files=[write_examples(root / "data_tfrecord-00000-of-00001.gz", examples)],
    examples=examples,
    pictures=pictures,
    labels=labels,
  )


@pytest.fixture(scope="session")
def images_model(tmp_path_factory, graph) -> pathlib.Path:
  """An untrained export of the images task, whose classes are "cat" and "dog"."""
  import keras

  from pipeline.tasks.images.model import build_model
  from pipeline.tasks.images.task import TASK
  from pipeline.training.answering import answering
  from pipeline.training.export import signatures

  keras.utils.set_random_seed(1)
  built = build_model(TASK.params.usual().replace(widths=[2], image_size=SIZE), graph.output)
  path = tmp_path_factory.mktemp("model") / "saved"
  signatures.export(
    str(path),
    model=built,
    outputs=answering(TASK, built, graph.output, {}),
    tft_output=graph.output,
    input_key="image",
    label_id_key="label_id",
  )
  return path


def write_examples(path: pathlib.Path, examples: list[bytes]) -> str:
  """Writes serialized examples as TFX's ExampleGens do."""
  import tensorflow as tf

  with tf.io.TFRecordWriter(str(path), options="GZIP") as writer:
    for example in examples:
      writer.write(example)
  return str(path)


@pytest.fixture(scope="session")
def evaluate(tmp_path_factory):
  """Returns a function that runs TFMA over hand-made values and returns the result's path.

  Arguments: an `EvalConfig` of the images task; `label_id`, a list of integers; `scores`, a list of
  lists; `old_scores`, the same of a model to compare with, or None; `old_label_id`, its numbers of
  the labels where they are others; `slices`, feature name to strings. The models are SavedModels
  that answer with the scores they are sent.
  """
  import apache_beam as beam
  import tensorflow_model_analysis as tfma
  from tensorflow_model_analysis import constants
  from tensorflow_model_analysis.utils import config_util
  from tfx_bsl.tfxio import tf_example_record

  def run(config, *, label_id, scores, old_scores=None, old_label_id=None, slices=None) -> str:
    has_baseline = old_scores is not None
    # As TFX's Evaluator does; the first time there is nothing to compare with.
    config = config_util.update_eval_config_with_defaults(
      config, has_baseline=has_baseline, rubber_stamp=not has_baseline
    )
    root = tmp_path_factory.mktemp("evaluation")
    columns = {"scores": scores, "old_scores": old_scores or scores}
    models = {
      constants.CANDIDATE_KEY: ("scores", "label_id"),
      constants.BASELINE_KEY: ("old_scores", "old_label_id"),
    }
    shared = [
      tfma.default_eval_shared_model(
        _save_echo(root / name, *models[name], len(columns[models[name][0]][0])),
        eval_config=config,
        model_name=name if has_baseline else "",
        rubber_stamp=not has_baseline,
      )
      for name in ([*models] if has_baseline else [constants.CANDIDATE_KEY])
    ]
    rows = [
      _example(
        label_id=label,
        old_label_id=(old_label_id or label_id)[index],
        **{name: column[index] for name, column in columns.items()},
        **{name: values[index] for name, values in (slices or {}).items()},
      )
      for index, label in enumerate(label_id)
    ]
    source = tf_example_record.TFExampleBeamRecord(
      physical_format="inmem",
      telemetry_descriptors=["test"],
      raw_record_column_name=constants.ARROW_INPUT_COLUMN,
    )
    with beam.Pipeline(options=_in_process()) as pipeline:
      _ = (
        pipeline
        | beam.Create(rows)
        | source.BeamSource()
        | tfma.ExtractEvaluateAndWriteResults(
          eval_config=config,
          eval_shared_model=shared if has_baseline else shared[0],
          output_path=str(root / "result"),
        )
      )
    return str(root / "result")

  return run


def _save_echo(path: pathlib.Path, feature: str, label_feature: str, classes: int) -> str:
  """Saves a model that answers with the feature's values, under the names our exports have."""
  import tensorflow as tf

  def answer(examples):
    spec = {feature: tf.io.FixedLenFeature([classes], tf.float32)}
    return {"scores": tf.io.parse_example(examples, spec)[feature]}

  def label(examples):
    spec = {label_feature: tf.io.FixedLenFeature([], tf.int64)}
    return {"label_id": tf.io.parse_example(examples, spec)[label_feature]}

  module = tf.Module()
  examples = tf.TensorSpec([None], tf.string, name="examples")
  module.answer, module.label = tf.function(answer), tf.function(label)
  signatures = {
    "serving_examples": module.answer.get_concrete_function(examples),
    "transform_label": module.label.get_concrete_function(examples),
  }
  tf.saved_model.save(module, str(path), signatures=signatures)
  return str(path)


def _example(**features) -> bytes:
  import tensorflow as tf

  example = tf.train.Example()
  for name, value in features.items():
    feature = example.features.feature[name]
    if isinstance(value, str | bytes):
      feature.bytes_list.value.append(value.encode() if isinstance(value, str) else value)
    elif isinstance(value, int):
      feature.int64_list.value.append(value)
    else:
      feature.float_list.value.extend(value)
  return example.SerializeToString()


def _in_process():
  """Beam in this process; newer DirectRunners would first download a binary."""
  from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

  known = "FnApiRunner" in StandardOptions.KNOWN_RUNNER_NAMES
  return PipelineOptions([f"--runner={'FnApiRunner' if known else 'DirectRunner'}"])


@pytest.fixture(scope="session")
def recorded():
  """Returns a function from settings to the same settings, and the set of names that were read."""

  def watch(params):
    read = set()

    class Watched(type(params)):
      def __getattribute__(self, name):
        if name in type(params).model_fields:
          read.add(name)
        return super().__getattribute__(name)

    return Watched.of(params.as_json()), read

  return watch


@pytest.fixture
def days(tmp_path):
  """A workspace with recorded runs, one a day, as `recorded_days` says."""
  path = pathlib.Path(__file__).with_name("recorded_days.py")
  spec = importlib.util.spec_from_file_location("recorded_days", path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module.Days(tmp_path)


@pytest.fixture
def write_log(tmp_path):
  """Returns a function that logs `(text, label, score)` rows as a server does, a request each."""
  import tensorflow as tf
  from tensorflow_serving.apis import predict_pb2

  from serving.models.servable import Run
  from serving.telemetry import logged, sampling
  from serving.telemetry.request_log import RequestLog

  def write(*rows, name="sentiment", key="text", client=lambda number: ""):
    log = RequestLog(str(tmp_path / "log"))
    for number, (value, label, score) in enumerate(rows):
      request, response = predict_pb2.PredictRequest(), predict_pb2.PredictResponse()
      request.inputs[key].CopyFrom(tf.make_tensor_proto([value]))
      response.outputs["label"].CopyFrom(tf.make_tensor_proto([label]))
      response.outputs["score"].CopyFrom(tf.make_tensor_proto([score], tf.float32))
      response.model_spec.name = name
      response.model_spec.version.value = 3
      record = functools.partial(logged.of_messages, "Predict", request, response)
      log.answered(record, sampling.Answer, Run(client_id=client(number)))
    log.close()
    return tmp_path / "log"

  return write


class _WebServer(http.server.ThreadingHTTPServer):
  daemon_threads = True
  block_on_close = False


@pytest.fixture
def web():
  """Returns a function from the codes to answer with, the last one repeated, to a server.

  It yields the address and the list of requests: path, headers and JSON.
  """
  with contextlib.ExitStack() as stack:

    def start(*codes, wait=None):
      taken = []

      class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
          body = self.rfile.read(int(self.headers["Content-Length"]))
          taken.append((self.path, dict(self.headers), json.loads(body)))
          if wait is not None:
            wait.wait()
          self.send_response(codes[min(len(taken), len(codes)) - 1])
          self.send_header("Location", "http://127.0.0.1:9/elsewhere")
          self.send_header("Content-Length", "0")
          self.end_headers()

        def log_message(self, *_):
          pass

      server = _WebServer(("127.0.0.1", 0), Handler)
      threading.Thread(target=server.serve_forever, daemon=True).start()
      stack.callback(server.server_close)
      stack.callback(server.shutdown)
      return f"http://127.0.0.1:{server.server_port}", taken

    yield start
