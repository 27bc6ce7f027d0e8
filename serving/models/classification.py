"""Classify and Regress: from serialized examples to labels and numbers.

Source of all rules and texts: tensorflow_serving/servables/tensorflow/{classifier,regressor}.cc.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving.errors import InvalidArgument
from serving.models.servable import Run, Servable
from serving.models.tensors import Array, dtype_name

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
_INPUTS, _CLASSES, _SCORES, _OUTPUTS = "inputs", "classes", "scores", "outputs"


@dataclasses.dataclass(frozen=True)
class Classes:
  """The answer of Classify.

  Attributes:
    labels: `[batch, classes]` bytes; None if the model gives no labels.
    scores: `[batch, classes]` float32; None if the model gives no scores.
  """

  labels: Array | None
  scores: Array | None

  def rows(self) -> list[list[tuple[bytes, float]]]:
    """Returns the (label, score) pairs of each example; missing ones are `b""` and 0."""
    given = self.labels if self.labels is not None else self.scores
    shape = given.shape if given is not None else (0, 0)
    labels = self.labels.tolist() if self.labels is not None else [[b""] * shape[1]] * shape[0]
    scores = self.scores.tolist() if self.scores is not None else [[0.0] * shape[1]] * shape[0]
    return [list(zip(*row, strict=True)) for row in zip(labels, scores, strict=True)]


def classify(
  servable: Servable,
  examples: Sequence[bytes],
  *,
  signature_name: str,
  run: Run | None = None,
) -> Classes:
  """Returns the labels and scores of serialized tf.Examples.

  Raises:
    InvalidArgument: no examples, or the signature or its answer is not a classifier's.
    ServingError: what the runtime says.
  """
  tensor, outputs = classify_outputs(_signature(servable, signature_name))
  return to_classes(_run(servable, tensor, outputs, examples, run), len(examples))


def regress(
  servable: Servable,
  examples: Sequence[bytes],
  *,
  signature_name: str,
  run: Run | None = None,
) -> Array:
  """Returns `[batch]` float32 of serialized tf.Examples.

  Raises:
    InvalidArgument: no examples, or the signature or its answer is not a regressor's.
    ServingError: what the runtime says.
  """
  tensor, outputs = regress_outputs(_signature(servable, signature_name))
  return to_values(_run(servable, tensor, outputs, examples, run), len(examples))


def to_batch(examples: Sequence[bytes]) -> Array:
  """Returns `[batch]` strings of serialized tf.Examples; refuses an empty batch."""
  if not examples:
    raise InvalidArgument("Input is empty.")
  batch = np.empty(len(examples), object)
  batch[:] = examples
  return batch


def classify_outputs(signature: Any) -> tuple[str, dict[str, str]]:
  """Returns the input's tensor, and output name to tensor, of a classifier's signature."""
  if len(signature.inputs) != 1:
    raise InvalidArgument("Expected one input Tensor.")
  if len(signature.outputs) not in (1, 2):
    raise InvalidArgument(f"Expected one or two output Tensors, found {len(signature.outputs)}")
  if _INPUTS not in signature.inputs:
    raise InvalidArgument(f"No classification inputs found in SignatureDef: {signature}")
  outputs = {
    name: signature.outputs[name].name for name in (_CLASSES, _SCORES) if name in signature.outputs
  }
  if not outputs:
    raise InvalidArgument(
      "Expected classification signature outputs to contain at least one of "
      f'"{_CLASSES}" or "{_SCORES}". Signature was: {signature}'
    )
  return signature.inputs[_INPUTS].name, outputs


def regress_outputs(signature: Any) -> tuple[str, dict[str, str]]:
  """Returns the input's tensor, and output name to tensor, of a regressor's signature."""
  if len(signature.inputs) != 1:
    raise InvalidArgument("Expected one input Tensor.")
  if len(signature.outputs) != 1:
    raise InvalidArgument("Expected one output Tensor.")
  if _INPUTS not in signature.inputs:
    raise InvalidArgument(f"No regression inputs found in SignatureDef: {signature}")
  if _OUTPUTS not in signature.outputs:
    raise InvalidArgument(f"No regression outputs found in SignatureDef: {signature}")
  return signature.inputs[_INPUTS].name, {_OUTPUTS: signature.outputs[_OUTPUTS].name}


def to_classes(arrays: Mapping[str, Array], count: int) -> Classes:
  """Checks what a classifier computed for `count` examples."""
  labels, scores = arrays.get(_CLASSES), arrays.get(_SCORES)
  for name, array, wanted in ((_CLASSES, labels, "DT_STRING"), (_SCORES, scores, "DT_FLOAT")):
    if array is None:
      continue
    if array.ndim != 2:
      raise InvalidArgument(
        f"Expected Tensor shape: [batch_size num_classes] but got {_shown(array)}"
      )
    if dtype_name(array) != wanted:
      raise InvalidArgument(f"Expected {name} Tensor of {wanted}. Got: {dtype_name(array)}")
    if len(array) != count:
      raise InvalidArgument(f"Expected {name} output batch size of {count}. Got: {len(array)}")
  if labels is not None and scores is not None and labels.shape[1] != scores.shape[1]:
    raise InvalidArgument(
      "Tensors class and score should match in dim_size(1). Got "
      f"{labels.shape[1]} vs. {scores.shape[1]}"
    )
  return Classes(labels, scores)


def to_values(arrays: Mapping[str, Array], count: int) -> Array:
  """Checks what a regressor computed for `count` examples; one number of each."""
  array = arrays[_OUTPUTS]
  if array.ndim != 1 and not (array.ndim == 2 and array.shape[1] == 1):
    raise InvalidArgument(
      "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
      f"{_shown(array)}"
    )
  if len(array) != count:
    raise InvalidArgument(
      f"Input batch size did not match output batch size: {count} vs. {len(array)}"
    )
  if dtype_name(array) != "DT_FLOAT":
    raise InvalidArgument(f"Expected output Tensor of DT_FLOAT.  Got: {dtype_name(array)}")
  return array.reshape(-1)


def _signature(servable: Servable, name: str) -> Any:
  if name not in servable.signatures:
    raise InvalidArgument(f"No signature was found with the name: {name}")
  return servable.signatures[name]


def _run(
  servable: Servable,
  tensor: str,
  outputs: Mapping[str, str],
  examples: Sequence[bytes],
  run: Run | None,
) -> dict[str, Array]:
  run = run or Run()
  run.examples = len(examples)
  values = servable.execute({tensor: to_batch(examples)}, list(outputs.values()), run)
  return dict(zip(outputs, values, strict=True))


def _shown(array: Array) -> str:
  return "[" + ",".join(map(str, array.shape)) + "]"
