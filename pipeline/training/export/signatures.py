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
CLASSIFY, REGRESS = "classify", "regress"
TRANSFORM_FEATURES = "transform_features"
TRANSFORM_LABEL = "transform_label"

# TensorFlow Serving's Classify and Regress: their outputs, by the names that answers have for them.
# A model has those whose outputs it has.
OF_EXAMPLES = {
  CLASSIFY: {"classes": "labels", "scores": "scores"},
  REGRESS: {"outputs": "value"},
}

# The server knows by this name in an error's place that the error's sentence is for the caller.
REFUSAL_SCOPE = "servable_input"

Outputs = Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]]
# `[batch]` string to `[batch]` string: why each is not answered, empty where it is.
Rule = Callable[[tf.Tensor], tf.Tensor]


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
    rule: Rule | None = None,
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
    self._rule = rule

  def predict(self, values: tf.Tensor) -> dict[str, tf.Tensor]:
    """Raw values `[batch]` to outputs; TFT prunes what depends on the label.

    Raises:
      tf.errors.InvalidArgumentError: one of them breaks the task's rule; the message is its reason,
        and which of several it is.
    """
    values = self._held_to_rule(values)
    return self._outputs(self._transform({self._input_key: self._raw(values)}))

  def _held_to_rule(self, values: tf.Tensor, then: tf.Tensor | None = None) -> tf.Tensor:
    """The values, or `then`, which no op can have before the rule has let every value through."""
    then = values if then is None else then
    if self._rule is None:
      return then
    with tf.name_scope(REFUSAL_SCOPE):
      reasons = self._rule(tf.reshape(values, [-1]))
      are_refused, count = reasons != "", tf.size(reasons)
      first = tf.argmax(tf.concat([are_refused, [True]], 0), output_type=tf.int32)
      which = tf.strings.format(" (input {} of {})", (first + 1, count))
      reason = tf.concat([reasons, [""]], 0)[first]
      sentence = tf.strings.join([reason, tf.where(count > 1, which, "")])
      assertion = tf.debugging.Assert(~tf.reduce_any(are_refused), [sentence])
      # An assertion by itself may be pruned; what follows reads the values through it.
      with tf.control_dependencies([assertion] if assertion is not None else []):
        return tf.identity(then)

  def _raw(self, values: tf.Tensor) -> Any:
    spec = self._spec[self._input_key]
    if isinstance(spec, tf.io.VarLenFeature):
      return tf.sparse.from_dense(values[:, tf.newaxis])
    return tf.reshape(values, [-1, *spec.shape])

  def _parse_input(self, examples: tf.Tensor) -> tf.Tensor:
    # The rule says better than the parser that it is missing.
    default = None if self._rule is None else ""
    spec = tf.io.FixedLenFeature([], self._spec[self._input_key].dtype, default)
    return tf.io.parse_example(examples, {self._input_key: spec})[self._input_key]

  def signatures(self) -> dict[str, Any]:
    """One concrete function per signature name."""
    dtype = self._spec[self._input_key].dtype

    def serving_default(values):
      return self.predict(values)

    def serving_examples(examples):
      return self.predict(self._parse_input(examples))

    def transform_features(examples):
      examples = self._held_to_rule(self._parse_input(examples), then=examples)
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
    answers = set(found[SERVING_EXAMPLES].structured_outputs)
    for name, outputs in OF_EXAMPLES.items():
      if set(outputs.values()) <= answers:
        found[name] = _concrete(self._renamed(outputs), "inputs")
    return found

  def _renamed(self, outputs: Mapping[str, str]) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """From examples to some of the outputs, by other names."""

    def answer(inputs):
      predicted = self.predict(self._parse_input(inputs))
      return {new: predicted[old] for new, old in outputs.items()}

    return answer


def export(
  path: str,
  *,
  model: keras.Model,
  outputs: Outputs,
  tft_output: tft.TFTransformOutput,
  input_key: str,
  label_id_key: str,
  transformed_slices: Sequence[str] = (),
  rule: Rule | None = None,
) -> ServingModule:
  """Writes the SavedModel.

  Args:
    path: the directory to write.
    model: the trained model.
    outputs: what `training.answering` makes of the task's problem, bound to this model.
    tft_output: the transform graph.
    input_key: the raw feature that a caller sends.
    label_id_key: the transformed label.
    transformed_slices: transformed features that the evaluation is sliced by.
    rule: what an input may be, with the bounds that the sources held the examples to; in graph.

  Returns:
    What was exported; its `predict` computes in Keras what the signatures must compute.
  """
  _without_cudnn(model)
  module = ServingModule(
    model=model,
    outputs=outputs,
    tft_output=tft_output,
    input_key=input_key,
    label_id_key=label_id_key,
    transformed_slices=transformed_slices,
    rule=rule,
  )
  tf.saved_model.save(module, path, signatures=module.signatures())
  return module


def _without_cudnn(model: keras.Model) -> None:
  """Has recurrent layers traced with ops that run everywhere.

  Keras writes cuDNN's op into what is traced where it sees a GPU, and a server without one has no
  kernel for it (keras#18504). The weights are the same.
  """
  for layer in model._flatten_layers():
    if hasattr(layer, "use_cudnn"):
      layer.use_cudnn = False


def _concrete(function: Callable[[tf.Tensor], Any], name: str, dtype: tf.DType = tf.string) -> Any:
  spec = tf.TensorSpec([None], dtype, name=name)
  return tf.function(function).get_concrete_function(spec)
