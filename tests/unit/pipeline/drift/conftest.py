"""Rows, examples with origins, and a served version that remembers its data."""

import io
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.source_example_gen import origins
from components.source_example_gen.origins import Origin
from components.source_example_gen.summary import Summary
from pipeline.drift import examples

TOLD = {
  "kind": {"is_text": True, "has_classes": True, "has_one_class": True},
  "input_key": "text",
  "label_key": "label",
  "severity": "warn",
  "least": 0.02,
  "remembers": True,
}
_SUBJECTS = ["the film", "this movie", "the story", "her acting", "the ending", "a plot"]
_GOOD = ["is lovely", "was a joy", "made me smile", "is so good", "is warm and funny"]
_BAD = ["is dull", "was a bore", "made me leave", "is so bad", "is cold and empty"]


def _reviews(count, *, positive=0.5, seed=1):
  """Returns `(text, label)` of reviews of a few words."""
  random = np.random.default_rng(seed)
  rows = []
  for number in range(count):
    is_good = random.random() < positive
    said = random.choice(_GOOD if is_good else _BAD)
    text = f"{random.choice(_SUBJECTS)} {said} and {random.choice(_SUBJECTS)} too, number {number}"
    rows.append((text, "good" if is_good else "bad"))
  return rows


def _picture(*, light=120, size=(32, 24), seed=1, kind="PNG", colour=True):
  """Returns an encoded picture of noise around a brightness."""
  pixels = np.random.default_rng(seed).normal(
    light, light / 5, (size[1], size[0], 3 if colour else 1)
  )
  clipped = np.clip(pixels, 0, 255).astype(np.uint8)
  file = io.BytesIO()
  Image.fromarray(clipped if colour else clipped[..., 0]).save(file, kind)
  return file.getvalue()


@pytest.fixture(scope="session")
def reviews():
  """The function that makes reviews."""
  return _reviews


@pytest.fixture(scope="session")
def picture():
  """The function that makes a picture."""
  return _picture


@pytest.fixture(scope="session")
def told():
  """What the gate is told of the rows."""
  return TOLD


@pytest.fixture
def data(tmp_path):
  """Returns a function that writes rows of train and val; returns both artifacts' directories."""

  def write(name, train, val=()):
    place = tmp_path / name
    counts = {"train": {}, "val": {}}
    for split, rows in (("train", train), ("val", val)):
      folder = place / "examples" / f"Split-{split}"
      folder.mkdir(parents=True)
      path = str(folder / "data.gz")
      with tf.io.TFRecordWriter(path, options="GZIP") as writer:
        for text, label in rows:
          example = tf.train.Example()
          example.features.feature["text"].bytes_list.value.append(text.encode())
          example.features.feature["label"].bytes_list.value.append(label.encode())
          writer.write(example.SerializeToString())
          counts[split][label] = counts[split].get(label, 0) + 1
      names = [f"{name}.csv, row {row}" for row in range(2, len(rows) + 2)]
      origins.write(origins.path_beside(path), [origins.line(Origin(each)) for each in names])
    summary = Summary(examples={"train": len(train), "val": len(val)}, labels=counts)
    (place / "quarantine").mkdir()
    (place / "quarantine" / Summary.FILE).write_text(summary.to_text())
    return str(place / "examples"), str(place / "quarantine")

  return write


@pytest.fixture
def profiled(data, tmp_path):
  """Returns a function that writes rows and their profile; returns directories of both."""

  def write(name, train, val=()):
    examples_dir, quarantine_dir = data(name, train, val)
    found = examples.profile(examples_dir, quarantine_dir, TOLD)
    directory = tmp_path / name / "profile"
    directory.mkdir()
    (directory / found.FILE).write_text(found.to_text())
    return str(directory), examples_dir

  return write


@pytest.fixture
def serve(tmp_path):
  """Returns a function that serves a version with a profile; returns the served directory."""

  def version(number, profile_dir=None):
    folder = tmp_path / "serving" / str(number)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"")
    if profile_dir is not None:
      written = (pathlib.Path(profile_dir) / "data_profile.json").read_text()
      (folder / "data_profile.json").write_text(written)
    return str(tmp_path / "serving")

  return version


@pytest.fixture
def schema(tmp_path):
  """Returns a function that writes a schema; returns its directory."""

  def write(text='feature { name: "text" type: BYTES } feature { name: "label" type: BYTES }'):
    folder = tmp_path / "schema"
    folder.mkdir(exist_ok=True)
    (folder / "schema.pbtxt").write_text(text)
    return str(folder)

  return write
