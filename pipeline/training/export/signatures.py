"""Exports one SavedModel with the signatures that serving, TFMA and TF Serving's clients expect.

Every signature runs the transform graph and the model as one graph, so no client preprocesses.
Every variable is tracked as a bare tf.Variable: without that, Keras 3 models load in TF2 and fail
in TF Serving.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from pipeline.explanations.target import report_without
from pipeline.explanations.values import EXPLAIN

SERVING_DEFAULT = "serving_default"
SERVING_EXAMPLES = "serving_examples"
CLASSIFY, REGRESS = "classify", "regress"
TRANSFORM_FEATURES = "transform_features"
TRANSFORM_LABEL = "transform_label"

# The outputs of TensorFlow Serving's Classify and Regress, and the model outputs that fill them. A
# model gets the signatures whose outputs it has.
OF_EXAMPLES = {
  CLASSIFY: {"classes": "labels", "scores": "scores"},
  REGRESS: {"outputs": "value"},
}

# If an error comes from an op in this name scope, the server shows its message to the caller.
REFUSAL_SCOPE = "servable_input"

Outputs = Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]]
# From inputs `[batch]` string to `[batch]` string: the reason to refuse each, empty if it is valid.
Rule = Callable[[tf.Tensor], tf.Tensor]


class ServingModule(tf.Module):
  """Holds everything that the signatures use, so that the SavedModel tracks it."""

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
    explanation: Outputs | None = None,
    variables: Sequence[tf.Variable] = (),
  ):
    """Takes the arguments of `export`."""
    super().__init__()
    self.variables_by_value = [variable.value for variable in model.variables]
    self.further_variables = list(variables)
    self._model_resources = _resources(model)
    layer = tft_output.transform_features_layer()
    self._transform = layer.call
    # Its tables and files, but not the layer: Keras 2 would trace the layer again to save it.
    self._transform_resources = list(tf.train.TrackableView.children(layer).values())
    self._outputs = outputs
    self._spec = tft_output.raw_feature_spec()
    self._input_key = input_key
    self._label_id_key = label_id_key
    self._transformed_slices = tuple(transformed_slices)
    self._rule = rule
    # Traced once for all signatures: every copy of a rule and of a transform graph costs seconds,
    # here and wherever the model is loaded.
    dtype = self._spec[input_key].dtype
    self._features_in_graph = _concrete(self._features, "values", dtype)
    self._predict_in_graph = _concrete(
      lambda values: self._outputs(self._features_in_graph(values)), "values", dtype
    )
    self._explain_in_graph = self._traced(explanation, dtype)

  def predict(self, values: tf.Tensor) -> dict[str, tf.Tensor]:
    """Computes the outputs of raw values `[batch]`.

    Raises:
      tf.errors.InvalidArgumentError: a value breaks the task's rule; the message gives the reason
        and, if there are several values, the place of the first.
    """
    return self._outputs(self._features(values))

  def explain(self, values: tf.Tensor) -> dict[str, tf.Tensor]:
    """Computes the outputs of the signature `explain`, in graph; empty without it."""
    return self._explain_in_graph(values) if self._explain_in_graph is not None else {}

  def _features(self, values: tf.Tensor) -> dict[str, tf.Tensor]:
    """Computes the transformed features that need no label: TFT prunes the others."""
    return dict(self._transform({self._input_key: self._raw(self._held_to_rule(values))}))

  def _held_to_rule(self, values: tf.Tensor, then: tf.Tensor | None = None) -> tf.Tensor:
    """Checks every value against the rule in graph, then returns `then` (default: the values)."""
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
      # An assertion that nothing depends on may be pruned, so the returned tensor depends on it.
      with tf.control_dependencies([assertion] if assertion is not None else []):
        return tf.identity(then)

  def _raw(self, values: tf.Tensor) -> Any:
    spec = self._spec[self._input_key]
    if isinstance(spec, tf.io.VarLenFeature):
      return tf.sparse.from_dense(values[:, tf.newaxis])
    return tf.reshape(values, [-1, *spec.shape])

  def _parse_input(self, examples: tf.Tensor) -> tf.Tensor:
    # If the input is missing, the rule gives a clearer message than the parser.
    default = None if self._rule is None else ""
    spec = tf.io.FixedLenFeature([], self._spec[self._input_key].dtype, default)
    return tf.io.parse_example(examples, {self._input_key: spec})[self._input_key]

  def signatures(self) -> dict[str, Any]:
    """Returns one concrete function per signature name."""
    dtype = self._spec[self._input_key].dtype

    def serving_default(values):
      return self._predict_in_graph(values)

    def serving_examples(examples):
      return self._predict_in_graph(self._parse_input(examples))

    def transform_features(examples):
      examples = self._held_to_rule(self._parse_input(examples), then=examples)
      return dict(self._transform(tf.io.parse_example(examples, self._spec)))

    def transform_label(examples):
      # TFMA needs no more. TFT does not compute what depends on a feature missing from the spec.
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
    if self._explain_in_graph is not None:
      found[EXPLAIN] = self._explain_in_graph
    answers = set(found[SERVING_EXAMPLES].structured_outputs)
    for name, outputs in OF_EXAMPLES.items():
      if set(outputs.values()) <= answers:
        found[name] = _concrete(self._renamed(outputs), "inputs")
    return found

  def _traced(self, explanation: Outputs | None, dtype: tf.DType) -> Any:
    """Traces an explanation; None, and the reason in the progress, if the model offers no way."""
    if explanation is None:
      return None
    try:
      return _concrete(
        lambda values: explanation(self._features_in_graph(values)), self._input_key, dtype
      )
    except Exception as err:  # a user's model can raise anything, and is served without this
      report_without(err)
      return None

  def _renamed(self, outputs: Mapping[str, str]) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Returns a function from tf.Examples to some of the outputs, renamed."""

    def answer(inputs):
      predicted = self._predict_in_graph(self._parse_input(inputs))
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
  explanation: Outputs | None = None,
  variables: Sequence[tf.Variable] = (),
) -> ServingModule:
  """Writes the SavedModel.

  Args:
    path: the directory to write.
    model: the trained model.
    outputs: the result of `answering` for this model.
    tft_output: the transform graph.
    input_key: the raw feature that a caller sends.
    label_id_key: the transformed label.
    transformed_slices: transformed features that the evaluation is sliced by.
    rule: checks inputs in graph, with the same bounds as the sources checked the examples.
    explanation: the result of `explaining` for this model; None exports no signature `explain`.
    variables: those that `outputs` reads beside the model's.

  Returns:
    The exported module; its `predict` computes in Keras what the signatures must compute.
  """
  without_cudnn(model)
  module = ServingModule(
    model=model,
    outputs=outputs,
    tft_output=tft_output,
    input_key=input_key,
    label_id_key=label_id_key,
    transformed_slices=transformed_slices,
    rule=rule,
    explanation=explanation,
    variables=variables,
  )
  tf.saved_model.save(module, path, signatures=module.signatures())
  return module


def without_cudnn(model: keras.Model) -> None:
  """Makes recurrent layers trace ops that run everywhere.

  If Keras sees a GPU, it traces cuDNN's op, and a server without a GPU has no kernel for that
  (keras#18504). The weights are the same.
  """
  for layer in model._flatten_layers():
    if hasattr(layer, "use_cudnn"):
      layer.use_cudnn = False


def _resources(model: keras.Model) -> list[Any]:
  """Returns what a model looks up beside its variables: the tables of its layers."""
  kind = tf.saved_model.experimental.TrackableResource
  return [each for each in tf.train.TrackableView(model).descendants() if isinstance(each, kind)]


def _concrete(function: Callable[[tf.Tensor], Any], name: str, dtype: tf.DType = tf.string) -> Any:
  spec = tf.TensorSpec([None], dtype, name=name)
  # AutoGraph would rewrite Keras, TFT and the task, which takes longer than the tracing.
  return tf.function(function, autograph=False).get_concrete_function(spec)
