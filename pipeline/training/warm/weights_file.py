"""`assets.extra/weights.json.gz`: what the weights beside it stand for, written with each export.

The numbers themselves are the SavedModel's variables. Names of rows are kept once, however many
weights have them.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from dlpipe.artifact_files import ArtifactFile
from pipeline import carried_rows
from pipeline.carried_rows import Rows

FILE = "assets.extra/weights.json.gz"
_COUNTER = re.compile(r"_\d+$")
_VARIABLE = "variables_by_value/{}/.ATTRIBUTES/VARIABLE_VALUE"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Weight:
  """One weight of a model.

  Attributes:
    name: its path without the counters of Keras, and how many before it have the same.
    shape: its shape.
    axes: by axis, what its rows stand for.
  """

  name: str
  shape: tuple[int, ...]
  axes: Mapping[int, tuple[Rows, ...]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightsFile(ArtifactFile):
  """The content of the file.

  Attributes:
    weights: in the order of the export's variables; None where a variable is no weight.
    lists: names of rows, by a number as text.
    facts: by layer, what it learnt beside its weights.
    vocabularies: by file of the transform graph, a hash of it and the number of its lines.
    generation: how many warm starts lie between this model and the last cold one.
    cold: what the last cold training took and reached, as `WarmStart.measured` has it.
  """

  weights: list[dict[str, Any] | None]
  lists: dict[str, list[str]] = dataclasses.field(default_factory=dict)
  facts: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
  vocabularies: dict[str, tuple[str, int]] = dataclasses.field(default_factory=dict)
  generation: int = 0
  cold: dict[str, Any] = dataclasses.field(default_factory=dict)

  def each(self) -> Iterator[tuple[int, Weight]]:
    """Yields the number of each weight's variable, and the weight."""
    for number, row in enumerate(self.weights):
      if row is not None:
        axes = {
          int(axis): tuple(
            Rows(**{**rows, "names": tuple(self.lists.get(rows["names"], ()))}) for rows in some
          )
          for axis, some in row["axes"].items()
        }
        yield number, Weight(name=row["name"], shape=tuple(row["shape"]), axes=axes)


def weights_of(model: keras.Model) -> list[tuple[Weight, keras.Variable]]:
  """Returns the weights of a model, each with its variable."""
  said: dict[int, dict[int, tuple[Rows, ...]]] = {}
  for layer in model._flatten_layers():
    if of_layer := carried_rows.rows_of(layer):
      said |= {id(own): of_layer.get(own.name, {}) for own in own_weights(layer)}
  found = []
  met: dict[str, int] = {}
  for variable in model.weights:
    path = _plain(variable.path)
    number = met[path] = met.get(path, -1) + 1
    count = len(variable.shape)
    weight = Weight(
      name=f"{path}#{number}",
      shape=tuple(variable.shape),
      axes={axis % count: rows for axis, rows in said.get(id(variable), {}).items()},
    )
    for axis, named in weight.axes.items():
      size = sum(rows.size for rows in named)
      if size != weight.shape[axis]:
        raise ValueError(
          f"Axis {axis} of {variable.path} has {weight.shape[axis]} rows. Received: names of {size}"
        )
    found.append((weight, variable))
  return found


def write(
  model_dir: pathlib.Path,
  model: keras.Model,
  *,
  vocabularies: Mapping[str, tuple[str, int]],
  generation: int,
  cold: Mapping[str, Any],
) -> None:
  """Writes the file beside an export.

  Args:
    model_dir: the SavedModel's directory.
    model: the exported model; the export has its `variables` in their order.
    vocabularies: as in the file.
    generation: as in the file.
    cold: as in the file.
  """
  known = {id(variable): weight for weight, variable in weights_of(model)}
  lists: dict[tuple[str, ...], str] = {}

  def row(variable: keras.Variable) -> dict[str, Any] | None:
    weight = known.get(id(variable))
    if weight is None:
      return None
    return {
      "name": weight.name,
      "shape": list(weight.shape),
      "axes": {
        str(axis): [
          {**dataclasses.asdict(rows), "names": lists.setdefault(rows.names, str(len(lists)))}
          for rows in some
        ]
        for axis, some in weight.axes.items()
      },
    }

  found = WeightsFile(
    weights=[row(variable) for variable in model.variables],
    lists={number: list(names) for names, number in lists.items()},
    facts=facts_of(model),
    vocabularies=dict(vocabularies),
    generation=generation,
    cold=dict(cold),
  )
  path = model_dir / FILE
  path.parent.mkdir(parents=True, exist_ok=True)
  # Without a time, so that the same training exports the same bytes.
  path.write_bytes(gzip.compress(json.dumps(found.to_json()).encode(), mtime=0))


def read(model_dir: pathlib.Path) -> WeightsFile | None:
  """Returns the file beside an export; None if there is none, or it is of another release."""
  try:
    return WeightsFile.from_text(gzip.decompress((model_dir / FILE).read_bytes()).decode())
  except (OSError, EOFError, ValueError):
    return None


def values_of(model_dir: pathlib.Path, numbers: Sequence[int]) -> Iterator[np.ndarray]:
  """Yields the values of an export's variables, one at a time."""
  reader = tf.train.load_checkpoint(str(model_dir / "variables" / "variables"))
  for number in numbers:
    yield reader.get_tensor(_VARIABLE.format(number))


def vocabularies_of(tft_output: tft.TFTransformOutput) -> dict[str, tuple[str, int]]:
  """Returns the hash and the number of lines of each file of a transform graph."""
  folder = os.path.join(tft_output.transform_savedmodel_dir, tf.saved_model.ASSETS_DIRECTORY)
  found = {}
  for name in sorted(tf.io.gfile.listdir(folder)) if tf.io.gfile.isdir(folder) else ():
    with tf.io.gfile.GFile(os.path.join(folder, name), "rb") as file:
      content = file.read()
    found[name] = (hashlib.sha256(content).hexdigest()[:16], content.count(b"\n"))
  return found


def own_weights(layer: keras.Layer) -> list[keras.Variable]:
  """Returns the weights that a layer has itself, without those of the layers inside."""
  return [*layer._trainable_variables, *layer._non_trainable_variables]


def facts_of(model: keras.Model) -> dict[str, dict[str, Any]]:
  """Returns by layer what it learnt beside its weights."""
  found = {name: carried_rows.facts_of(layer) for name, layer in layers_of(model)}
  return {name: facts for name, facts in found.items() if facts}


def layers_of(model: keras.Model) -> Iterator[tuple[str, Any]]:
  """Yields the layers with the names that `WeightsFile.facts` has."""
  met: dict[str, int] = {}
  for layer in model._flatten_layers(include_self=False):
    name = _plain(layer.path or layer.name)
    met[name] = met.get(name, -1) + 1
    yield f"{name}#{met[name]}", layer


def _plain(path: str) -> str:
  """Returns a path without the numbers that Keras gives to repeated names.

  >>> _plain("cnn/dense_3/kernel")
  'cnn/dense/kernel'
  """
  return "/".join(_COUNTER.sub("", part) for part in path.split("/"))
