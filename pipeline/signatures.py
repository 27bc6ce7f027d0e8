"""Export: one SavedModel with the signatures that serving, TFMA and TF Serving's clients expect.

The transform graph and the model are one graph behind every signature, so nobody preprocesses
twice. Every variable is tracked as a bare tf.Variable: without that, Keras 3 models load in TF2 and
fail in TF Serving.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

SERVING_DEFAULT = "serving_default"
SERVING_EXAMPLES = "serving_examples"
CLASSIFY = "classify"
TRANSFORM_FEATURES = "transform_features"
TRANSFORM_LABEL = "transform_label"

Outputs = Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]]


class ServingModule(tf.Module):
  """Holds everything the signatures close over."""

  def __init__(
    self,
    *,
    model: keras.Model,
    outputs: Outputs,
    tft_output: tft.TFTransformOutput,
    input_key: str,
    label_id_key: str,
    transformed_slices: Sequence[str] = (),
  ):
    """Args: see `export`."""
    super().__init__()
    self.variables_by_value = [variable.value for variable in model.variables]
    self._transform = tft_output.transform_features_layer()
    self._outputs = outputs
    self._spec = tft_output.raw_feature_spec()
    self._input_key = input_key
    self._label_id_key = label_id_key
    self._transformed_slices = tuple(transformed_slices)

  def predict(self, values: tf.Tensor) -> dict[str, tf.Tensor]:
    """Raw values `[batch]` to outputs; TFT prunes what depends on the label."""
    return self._outputs(self._transform({self._input_key: self._raw(values)}))

  def _raw(self, values: tf.Tensor) -> Any:
    spec = self._spec[self._input_key]
    if isinstance(spec, tf.io.VarLenFeature):
      return tf.sparse.from_dense(values[:, tf.newaxis])
    return tf.reshape(values, [-1, *spec.shape])

  def _parse_input(self, examples: tf.Tensor) -> tf.Tensor:
    spec = tf.io.FixedLenFeature([], self._spec[self._input_key].dtype)
    return tf.io.parse_example(examples, {self._input_key: spec})[self._input_key]

  def signatures(self) -> dict[str, Any]:
    """One concrete function per signature name."""
    dtype = self._spec[self._input_key].dtype

    def serving_default(values):
      return self.predict(values)

    def serving_examples(examples):
      return self.predict(self._parse_input(examples))

    def transform_features(examples):
      return dict(self._transform(tf.io.parse_example(examples, self._spec)))

    def transform_label(examples):
      # All that TFMA needs; without the input in the spec nothing that depends on it is computed.
      named = (self._label_id_key, *self._transformed_slices)
      spec = {
        k: v for k, v in self._spec.items() if self._transformed_slices or k != self._input_key
      }
      features = self._transform(tf.io.parse_example(examples, spec))
      return {name: features[name] for name in named}

    found = {
      SERVING_DEFAULT: _concrete(serving_default, self._input_key, dtype),
      SERVING_EXAMPLES: _concrete(serving_examples, "examples"),
      TRANSFORM_FEATURES: _concrete(transform_features, "examples"),
      TRANSFORM_LABEL: _concrete(transform_label, "examples"),
    }
    if {"labels", "scores"} <= set(found[SERVING_EXAMPLES].structured_outputs):

      def classify(inputs):
        predicted = self.predict(self._parse_input(inputs))
        return {"classes": predicted["labels"], "scores": predicted["scores"]}

      found[CLASSIFY] = _concrete(classify, "inputs")
    return found


def export(
  path: str,
  *,
  model: keras.Model,
  outputs: Outputs,
  tft_output: tft.TFTransformOutput,
  input_key: str,
  label_id_key: str,
  transformed_slices: Sequence[str] = (),
) -> ServingModule:
  """Writes the SavedModel.

  Args:
    path: the directory to write.
    model: the trained model.
    outputs: the task's `serving_outputs`, bound to this model.
    tft_output: the transform graph.
    input_key: the raw feature that a caller sends.
    label_id_key: the transformed label.
    transformed_slices: transformed features that the evaluation is sliced by.

  Returns:
    What was exported; its `predict` computes in Keras what the signatures must compute.
  """
  _leave_out_cudnn(model)
  module = ServingModule(
    model=model,
    outputs=outputs,
    tft_output=tft_output,
    input_key=input_key,
    label_id_key=label_id_key,
    transformed_slices=transformed_slices,
  )
  tf.saved_model.save(module, path, signatures=module.signatures())
  return module


def _leave_out_cudnn(model: keras.Model) -> None:
  """Has recurrent layers traced as what every machine computes, with the same variables.

  Where it sees a GPU, Keras 3 writes cuDNN's own operation into the graph, which a server without
  one cannot run: https://github.com/keras-team/keras/issues/18504.
  """
  for layer in model._flatten_layers():
    if hasattr(layer, "use_cudnn"):
      layer.use_cudnn = False


def _concrete(function: Callable[[tf.Tensor], Any], name: str, dtype: tf.DType = tf.string) -> Any:
  spec = tf.TensorSpec([None], dtype, name=name)
  return tf.function(function).get_concrete_function(spec)
