"""Examples with origins, a model that answers them, and the predictions of both."""

import pytest
import tensorflow as tf

from components.source_example_gen import origins
from components.source_example_gen.origins import Origin
from pipeline.rows import predictions

TOLD = {
  "rows": "pipeline.problems.rows.of_classes",
  "input_key": "text",
  "label_key": "kind",
  "is_text": True,
  "baseline": None,
}


class Classifier(tf.Module):
  """Answers `cat` with a score that grows with the text, to 1 at a hundred bytes."""

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
  def answer(self, examples):
    spec = {"text": tf.io.FixedLenFeature([], tf.string)}
    texts = tf.io.parse_example(examples, spec)["text"]
    score = 0.5 + tf.cast(tf.strings.length(texts), tf.float32) / 200
    return {
      "label": tf.fill(tf.shape(texts), "cat"),
      "score": score,
      "scores": tf.stack([score, 1 - score], axis=1),
      "labels": tf.repeat(tf.constant([["cat", "dog"]]), tf.shape(texts)[0], axis=0),
    }


def _example(text, label):
  example = tf.train.Example()
  example.features.feature["text"].bytes_list.value.append(text)
  example.features.feature["kind"].bytes_list.value.append(label)
  return example.SerializeToString()


@pytest.fixture(scope="session")
def save_classifier(tmp_path_factory):
  """Returns a function that writes the model, with further signatures; returns its directory."""

  def save(**signatures):
    path = str(tmp_path_factory.mktemp("model"))
    module = Classifier()
    tf.saved_model.save(module, path, signatures={"serving_examples": module.answer, **signatures})
    return path

  return save


@pytest.fixture(scope="session")
def classifier(save_classifier):
  """The directory of the model."""
  return save_classifier()


@pytest.fixture
def predicted(classifier, tmp_path):
  """Returns a function that writes `{split: [[(text, label)] of a file]}`; returns a directory."""

  def write(splits, *, named=True, model=classifier, **told):
    for split, files in splits.items():
      (tmp_path / "examples" / f"Split-{split}").mkdir(parents=True)
      for number, rows in enumerate(files):
        path = str(tmp_path / "examples" / f"Split-{split}" / f"data-{number}.gz")
        with tf.io.TFRecordWriter(path, options="GZIP") as writer:
          for text, label in rows:
            writer.write(_example(text, label))
        if named:
          names = [f"{split}{number}.csv, row {row}" for row in range(2, len(rows) + 2)]
          lines = [origins.line(Origin(name, f"id of {name}")) for name in names]
          origins.write(origins.path_beside(path), lines)
    target = tmp_path / "predictions"
    predictions.write(str(target), str(tmp_path / "examples"), model, {**TOLD, **told})
    return target

  return write
