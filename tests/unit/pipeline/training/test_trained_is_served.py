"""What the sources take is answered everywhere, alike; what they refuse is refused, in their words.

Everywhere: `predict` in process, `batch`, the embedded server over REST and gRPC, and a plain
SavedModel loader, which stands for any other server.
"""

from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from dlpipe.dotted_paths import load_function
from dlpipe_client import BadRequest, GrpcClient, RestClient
from pipeline.api.asking import answers
from pipeline.batch.model import Model
from pipeline.sources.text_files import texts
from pipeline.sources.tfrecord.op_errors import words_of
from pipeline.tasks import get_task
from pipeline.tasks.images.pictures.decoding import decode
from pipeline.tasks.images.sources import pictures
from pipeline.training.export import signatures
from serving import flags
from serving.errors import InvalidArgument
from serving.models.local_model import LocalModel
from serving.server import ModelServer

_SIDE = 12
_MAX_PIXELS, _MAX_CHARS = 900, 30
_BOUNDS = {"images": {"max_pixels": _MAX_PIXELS}, "sentiment": {"max_chars": _MAX_CHARS}}
_SETTINGS = settings(
  deadline=None,
  derandomize=True,
  suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class _Unchanged(tf.Module):
  def call(self, features):
    return dict(features)


class _NoTransform:
  """A transform graph that changes nothing: what a text may be is said before it."""

  def raw_feature_spec(self):
    return {
      "text": tf.io.FixedLenFeature([], tf.string),
      "label_id": tf.io.FixedLenFeature([], tf.int64),
    }

  def transform_features_layer(self):
    return _Unchanged()


def _export(path, task, tft_output, outputs):
  import keras

  rule = load_function(task.input.rule)
  signatures.export(
    str(path),
    model=keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)]),
    outputs=outputs,
    tft_output=tft_output,
    input_key=task.input.key,
    label_id_key=task.problem.label_id_key,
    rule=lambda values: rule(values, _BOUNDS[task.name]),
  )


class Everywhere:
  """One task's model, behind everything that answers. Answers are the values; refusals, strings."""

  def __init__(self, task, workspace, clients):
    self.task, self.clients = task, clients
    path = workspace / task.name / "serving" / "1"
    self._local = LocalModel.load(path.parent)
    self._loaded = tf.saved_model.load(str(path))
    self._batch = Model(path)
    rule = load_function(task.input.rule)
    self._rule = tf.function(
      lambda values: rule(values, _BOUNDS[task.name]),
      input_signature=[tf.TensorSpec([None], tf.string)],
      autograph=False,
    )

  def rule(self, value):
    """What the rule says, None where it lets the value through; the decoder may still refuse it."""
    try:
      return self._rule(tf.constant([value])).numpy()[0].decode() or None
    except tf.errors.InvalidArgumentError:
      return None

  def answers(self, values):
    """What each of them says of each value: `{name: [answer]}`."""
    key = self.task.input.key
    found = {"loader": [self._of_loader(key, value) for value in values]}
    predicted = answers(
      lambda some: self._local.predict("serving_default", {key: some}), values, InvalidArgument
    )
    found["predict"] = [a if isinstance(a, str) else a["seen"] for a in predicted]
    columns, errors = self._batch.ask(values, ["seen"], batch_size=4).result()
    found["batch"] = [errors.get(i, answer) for i, answer in enumerate(columns["seen"])]
    for name, client in self.clients.items():
      found[name] = [self._of_client(client, key, value) for value in values]
    return found

  def _of_loader(self, key, value):
    try:
      seen = self._loaded.signatures["serving_default"](**{key: tf.constant([value])})["seen"]
    except tf.errors.InvalidArgumentError as err:
      return words_of(err)
    return seen.numpy()[0].tolist()

  def _of_client(self, client, key, value):
    try:
      return client.predict({key: [value]})["seen"][0].tolist()
    except BadRequest as err:
      # A refusal is the sentence alone; the decoder's words come with their place behind them.
      return str(err) if str(err) == self.rule(value) else words_of(str(err))


@pytest.fixture(scope="module")
def everywhere(free_ports, tmp_path_factory, graph):
  """`Everywhere` by task's name; `seen` is the pixels, or the codes of the characters."""
  workspace = tmp_path_factory.mktemp("workspace")
  _export(
    workspace / "images" / "serving" / "1",
    get_task("images"),
    graph.output,
    lambda features: {"seen": tf.reshape(features["pixels"], [-1, _SIDE * _SIDE * 3])},
  )
  _export(
    workspace / "sentiment" / "serving" / "1",
    get_task("sentiment"),
    _NoTransform(),
    lambda features: {
      "seen": tf.strings.unicode_decode(features["text"], "UTF-8").to_tensor(-1, shape=[None, 40])
    },
  )
  config = workspace / "models.config"
  config.write_text(
    "model_config_list {"
    + "".join(
      f'config {{name: "{name}" base_path: "{workspace / name / "serving"}" '
      'model_platform: "tensorflow"}'
      for name in _BOUNDS
    )
    + "}"
  )
  rpc, rest = free_ports(2)
  found, _ = flags.parse(
    [f"--port={rpc}", f"--rest_api_port={rest}", f"--model_config_file={config}"]
  )
  server = ModelServer(found)
  server.start()
  with contextlib.ExitStack() as stack:
    stack.callback(server.stop)
    yield {
      name: Everywhere(
        get_task(name),
        workspace,
        {
          "REST": stack.enter_context(RestClient(f"http://127.0.0.1:{rest}", name)),
          "gRPC": stack.enter_context(GrpcClient(f"127.0.0.1:{rpc}", name)),
        },
      )
      for name in _BOUNDS
    }


_MODES = {
  "PNG": ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16"),
  "JPEG": ("L", "RGB", "CMYK"),
  "GIF": ("1", "L", "P"),
  "BMP": ("1", "L", "P", "RGB", "RGBA"),
  "WEBP": ("RGB",),
  "TIFF": ("RGB",),
}
_FOREIGN = (b"", b"\0", b"no picture", b"BM", b"GIF89a", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


def _made(kind, mode, width, height, seed, transparency):
  random = np.random.default_rng(seed)
  if mode == "I;16":
    pixels = random.integers(0, 1 << random.integers(4, 17), (height, width)).astype("<u2")
    picture = Image.frombytes(mode, (width, height), pixels.tobytes())
  else:
    pixels = random.integers(0, 256, (height, width, 4), dtype=np.uint8)
    whole = Image.frombytes("RGBA", (width, height), pixels.tobytes())
    picture = whole.quantize(16) if mode in ("P", "PA") else whole.convert(mode)
  options = {}
  if transparency is not None and kind in ("PNG", "GIF") and picture.mode in ("P", "L", "RGB"):
    options["transparency"] = (transparency,) * 3 if picture.mode == "RGB" else transparency
  buffer = io.BytesIO()
  picture.save(buffer, kind, **options)
  return buffer.getvalue()


def _with_exif(data, orientation, order, cut):
  end = "<" if order == b"II" else ">"
  entry = struct.pack(f"{end}HHIHH", 0x0112, 3, 1, orientation, 0)
  block = (order + struct.pack(f"{end}HIH", 42, 8, 1) + entry + bytes(4))[:cut]
  if data.startswith(b"\x89PNG"):
    crc = struct.pack(">I", zlib.crc32(b"eXIf" + block))
    return data[:33] + struct.pack(">I", len(block)) + b"eXIf" + block + crc + data[33:]
  if data.startswith(b"\xff\xd8"):
    size = struct.pack(">H", len(block) + 8)
    return data[:2] + b"\xff\xe1" + size + b"Exif\0\0" + block + data[2:]
  return data


@st.composite
def _pictures(draw):
  if draw(st.integers(0, 9)) == 0:
    return draw(st.one_of(st.sampled_from(_FOREIGN), st.binary(max_size=200)))
  kind = draw(st.sampled_from([*_MODES, "PNG", "JPEG"]))
  sides = st.one_of(st.just(_SIDE), st.just(_SIDE), st.integers(1, 40))
  data = _made(
    kind,
    draw(st.sampled_from(_MODES[kind])),
    draw(sides),
    draw(sides),
    draw(st.integers(0, 99)),
    draw(st.one_of(st.none(), st.integers(0, 15))),
  )
  if draw(st.booleans()):
    orders = st.sampled_from([b"II", b"MM"])
    data = _with_exif(data, draw(st.integers(0, 9)), draw(orders), draw(st.sampled_from([99, 9])))
  if draw(st.integers(0, 4)) == 0:
    data = data[: draw(st.integers(0, len(data)))]
  return data


def _shown(data):
  """What a viewer shows of the picture on a white page; None where Pillow is none to go by."""
  picture = Image.open(io.BytesIO(data))
  # Decoders of JPEG differ in how they smooth colours, and viewers in what they make of 16 bits.
  if picture.size != (_SIDE, _SIDE) or picture.format == "JPEG" or picture.mode.startswith("I"):
    return None
  picture = ImageOps.exif_transpose(picture).convert("RGBA")
  return np.asarray(
    Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
  )


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
def _trained(encoded):
  return decode(encoded, _SIDE)


@settings(_SETTINGS, max_examples=40)
@given(values=st.lists(_pictures(), min_size=1, max_size=3))
def test_a_picture(everywhere, values):
  expected = []
  for value in values:
    try:
      pictures.check(value, max_pixels=_MAX_PIXELS)
    except pictures.UnusablePictureError as err:
      expected.append(str(err))
      continue
    pixels = _trained(tf.constant([value])).numpy()
    expected.append(pixels.ravel().tolist())
    shown = _shown(value)
    if shown is not None:
      np.testing.assert_allclose(pixels[0], shown, atol=1)
  for name, found in everywhere["images"].answers(values).items():
    assert found == expected, name


_TEXTS = st.one_of(
  st.text(max_size=_MAX_CHARS + 3),
  st.text(st.characters(), max_size=5),
  st.text(st.sampled_from("\ud800\udce9\udfffa "), max_size=4),
  st.text(st.sampled_from(" \t\u200b\u00a0\u2028\ufeff\ue000\u0301"), max_size=4),
  st.sampled_from(["", "a\0b", "\u202e\u05e9\u05dc", "e\u0301", "👩\u200d👧", "\ufffd"]),
  st.sampled_from(["x" * (_MAX_CHARS + 1), "é" * _MAX_CHARS]),
  st.binary(max_size=8),
  st.text(max_size=5).map(lambda text: text.encode("latin-1", "ignore")),
  st.none(),
)


@settings(_SETTINGS, max_examples=50)
@given(given_values=st.lists(_TEXTS, min_size=1, max_size=3))
def test_a_text(everywhere, given_values):
  expected = []
  for value in given_values:
    try:
      codes = [ord(c) for c in texts.usable(value, "the text", _MAX_CHARS)]
      expected.append(codes + [-1] * (40 - len(codes)))
    except ValueError as err:
      expected.append(str(err))
  values = [everywhere["sentiment"].task.input.value(value) for value in given_values]
  for name, found in everywhere["sentiment"].answers(values).items():
    assert found == expected, name


def test_a_request_with_a_bad_input_says_which(everywhere, graph):
  images, sentiment = everywhere["images"], everywhere["sentiment"]
  for client in images.clients.values():
    with pytest.raises(BadRequest) as caught:
      client.predict({"image": [graph.pictures[0], b"II*\0", b""]})
    assert str(caught.value) == (
      "not a JPEG, PNG, GIF or BMP picture, but a TIFF picture (input 2 of 3)"
    )
  for client in sentiment.clients.values():
    with pytest.raises(BadRequest) as caught:
      client.predict({"text": ["fine", "fine", "x" * 31]})
    assert str(caught.value) == (
      "the text has more characters than data.max_chars = 30 (input 3 of 3)"
    )


def test_the_words_of_a_decoder_come_first_and_their_place_behind(everywhere, make_picture):
  png = make_picture()
  damaged = png[:45] + bytes(20) + png[65:]
  for client in everywhere["images"].clients.values():
    with pytest.raises(BadRequest) as caught:
      client.predict({"image": [damaged]})
    assert str(caught.value).startswith("Invalid PNG data")
    assert "{{node " in str(caught.value)
