"""A browser, and a model server with a page, for the tests of the page."""

from __future__ import annotations

import base64
import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf


@pytest.fixture(scope="session", autouse=True)
def curl():
  """Skips where there is no curl for the lines that the page shows."""
  if shutil.which("curl") is None:
    pytest.skip("no curl on PATH; see scripts/install-test-servers.sh")


class Colours(tf.Module):
  """The images task's `serving_default`: which of red, green and blue a picture has most of."""

  names = ("red", "green", "blue", "<b>grey</b>", "a", "b", "c")

  def __init__(self):
    super().__init__()
    weights = np.zeros((3, len(self.names)), np.float32)
    weights[:3, :3] = 4 * np.eye(3)
    self.keras_model = keras.Sequential(
      [
        keras.Input((8, 8, 3)),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(
          len(self.names), kernel_initializer=lambda shape, dtype: tf.constant(weights)
        ),
      ]
    )
    self.values = [variable.value for variable in self.keras_model.variables]

  def pixels(self, image):
    decoded = tf.io.decode_image(image, channels=3, expand_animations=False)
    return tf.ensure_shape(tf.image.resize(decoded, (8, 8)) / 255, (8, 8, 3))

  @tf.function
  def __call__(self, image):
    logits = self.keras_model(tf.map_fn(self.pixels, image, fn_output_signature=tf.float32))
    return _class_outputs(logits, self.names)

  def explain(self, image):
    pixels = tf.map_fn(self.pixels, image, fn_output_signature=tf.float32)
    drawn = tf.cast(255 * pixels, tf.uint8)
    encoded = tf.map_fn(tf.io.encode_png, drawn, fn_output_signature=tf.string)
    return {"map": tf.reduce_mean(pixels, axis=3), "map_png_bytes": encoded}


class Moods(tf.Module):
  """The sentiment task's `serving_default`: whether a text says "good" or "bad".

  A text that says neither may be both, and one with "strange" is.
  """

  @tf.function
  def __call__(self, text):
    says = [tf.strings.regex_full_match(text, f"(?s).*{word}.*") for word in ("bad", "good")]
    logits = 2 * tf.stack([tf.cast(one, tf.float32) for one in says], axis=1)
    answer = _class_outputs(logits, ("negative", "positive"))
    is_open = says[0] == says[1]
    other = tf.where(answer["label"] == "positive", "negative", "positive")
    is_strange = tf.strings.regex_full_match(text, "(?s).*strange.*")
    return {
      **answer,
      "set": tf.stack([answer["label"], tf.where(is_open, other, "")], axis=1),
      "familiarity": tf.where(is_strange, 0.003, 0.5),
      "decision": tf.where(is_open | is_strange, "unsure", "accepted"),
    }

  def explain(self, text):
    tokens = tf.strings.split(text).to_tensor("")
    parts = tf.where(tokens == "good", 2.0, tf.where(tokens == "bad", -1.0, 0.0))
    return {"tokens": tokens, "contributions": parts}


class Shouts(tf.Module):
  """The translation task's `serving_default`: translates into capital letters."""

  @tf.function
  def __call__(self, text):
    translation = tf.strings.upper(text, encoding="utf-8")
    return {"translation": translation, "score": tf.fill(tf.shape(text), -0.125)}

  def explain(self, text):
    words = tf.strings.split(text).to_tensor("")
    size = tf.shape(words)[1]
    return {
      "source_tokens": words,
      "target_tokens": tf.strings.upper(words),
      "alignment": tf.eye(size, batch_shape=tf.shape(text)) * 0.75 + 0.05,
    }


def _class_outputs(logits, names):
  scores = tf.nn.softmax(logits)
  return {
    "label": tf.gather(tf.constant(names), tf.argmax(scores, axis=1)),
    "score": tf.reduce_max(scores, axis=1),
    "scores": scores,
    "labels": tf.repeat(tf.constant(names)[tf.newaxis], tf.shape(scores)[0], axis=0),
  }


def save(module, key, path, example):
  """Writes a module as a version, with a request beside it as the pipeline leaves one."""
  spec = tf.TensorSpec([None], tf.string, name=key)
  signatures = {
    "serving_default": module.__call__.get_concrete_function(spec),
    "explain": tf.function(module.explain).get_concrete_function(spec),
  }
  tf.saved_model.save(module, str(path), signatures=signatures)
  (path / "assets.extra" / "examples").mkdir(parents=True)
  body = json.dumps({"instances": [{key: example}]})
  (path / "assets.extra" / "examples" / "request.json").write_text(body)


@pytest.fixture(scope="session")
def save_shouts():
  """The function that writes the translating model to a path."""
  return lambda path: save(Shouts(), "text", path, "an example")


@pytest.fixture(scope="session")
def tasks_models(tmp_path_factory, make_colour):
  """Base paths of models with the shipped tasks' signatures."""
  root = tmp_path_factory.mktemp("tasks")
  green = base64.b64encode(make_colour("green")).decode()
  save(Colours(), "image", root / "images" / "1", {"b64": green})
  save(Moods(), "text", root / "sentiment" / "1", "This is a good example.")
  save(Shouts(), "text", root / "translation" / "1", "an example")
  return root


@pytest.fixture(scope="session")
def make_colour():
  """Returns a function that encodes a picture of a colour, with noise, so that it takes room."""
  import io

  from PIL import Image

  def make(colour, kind="PNG", side=24):
    noise = np.random.default_rng(0).integers(0, 40, (side, side, 3), dtype=np.uint8)
    plain = np.array(Image.new("RGB", (side, side), colour))
    file = io.BytesIO()
    Image.fromarray(np.maximum(plain, noise)).save(file, kind)
    return file.getvalue()

  return make


@pytest.fixture
def at(tab, page):
  """Returns a function that opens the page at a model and waits for its input."""

  def opened(model, **options):
    made = tab(f"{page.page}?model={model}", **options)
    made.wait("!document.getElementById('input').hidden")
    return made

  return opened


@pytest.fixture(scope="session")
def page(start_process, tasks_models, models, tools, tmp_path_factory):
  """The address of the page of a running server with several models."""
  every = "model_version_policy { all {} }"
  config = tools.write_config(
    tmp_path_factory.mktemp("config") / "models.config",
    *((name, tasks_models / name, "") for name in ("images", "sentiment", "translation")),
    ("half_plus", models / "half_plus", every),
    ("many", models / "many", ""),
    ("types", models / "types", ""),
  )
  process = start_process(f"--model_config_file={config}", "--ui").wait()
  process.page = f"http://127.0.0.1:{process.rest_port}/ui"
  return process
