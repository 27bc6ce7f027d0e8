"""Predict and MultiInference on a loaded version: checks in TensorFlow Serving's order and words.

It knows arrays, signatures and sessions, but neither HTTP nor gRPC. Source of all rules and texts:
tensorflow_serving/servables/tensorflow/{predict_util,multi_inference}.cc.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from serving.errors import FailedPrecondition, InvalidArgument, Unimplemented
from serving.models.classification import (
  CLASSIFY,
  REGRESS,
  Classes,
  classify_outputs,
  regress_outputs,
  to_batch,
  to_classes,
  to_values,
)
from serving.models.servable import Run, Servable
from serving.models.tensors import Array, TensorParseError, array_from_proto

PREDICT = "tensorflow/serving/predict"


def as_it_is(array: Array) -> Array:
  """Returns an input that is an array already."""
  return array


def predict(
  servable: Servable,
  inputs: Mapping[str, Any],
  *,
  signature_name: str,
  output_filter: Sequence[str] = (),
  run: Run | None = None,
  read: Callable[[Any], Array] = as_it_is,
  check_method: bool = False,
) -> dict[str, Array]:
  """Runs a signature. Checks names and leaves types and shapes to the graph.

  Args:
    servable: the version to run.
    inputs: input name to value.
    signature_name: the signature to run.
    output_filter: the outputs to compute; none means all.
    run: takes the time limit, and the seconds that the run took.
    read: makes an array of a value, or raises `TensorParseError`.
    check_method: whether signatures of other methods are refused.

  Returns:
    Output name to array, sorted by name; strings are bytes.

  Raises:
    NoSignature: the model has no such signature.
    InvalidArgument: inputs or outputs are not the signature's.
    ServingError: the runtime's error.
  """
  signature = servable.signatures.get(signature_name)
  if signature is None:
    raise NoSignature(f'Serving signature key "{signature_name}" not found.')
  if check_method and signature.method_name not in (PREDICT, CLASSIFY, REGRESS):
    raise InvalidMethod(signature.method_name)
  feeds = _feeds(servable.inputs[signature_name], signature.defaults, inputs, read)
  fetches = _fetches(servable.outputs[signature_name], output_filter)
  values = servable.execute(feeds, list(fetches.values()), run or Run())
  return dict(zip(fetches, values, strict=True))


def multi_inference(
  servable: Servable,
  tasks: Sequence[tuple[str, str]],
  examples: Sequence[bytes],
  run: Run | None = None,
) -> list[Classes | Array]:
  """Classifies and regresses the same examples in one run of the graph.

  Args:
    servable: the version to run.
    tasks: pairs of a signature's name and its method.
    examples: serialized tf.Examples.
    run: takes the time limit, and the seconds that the run took.

  Returns:
    For each task in order `Classes`, or `[batch]` float32.
  """
  plans: list[tuple[str, str, str, dict[str, str]]] = []
  for signature_name, method in tasks:
    if any(signature_name == name for name, *_ in plans):
      raise InvalidArgument(f"Duplicate evaluation of signature: {signature_name}")
    signature = servable.signatures.get(signature_name)
    if signature is None:
      raise InvalidArgument(f"Requested signature not found in model graph: {signature_name}")
    if method == CLASSIFY:
      plans.append((signature_name, method, *classify_outputs(signature)))
    elif method == REGRESS:
      plans.append((signature_name, method, *regress_outputs(signature)))
    else:
      raise Unimplemented(f"Unsupported signature method_name: {method}")
  batch = to_batch(examples)
  fetches = sorted({tensor for plan in plans for tensor in plan[3].values()})
  run = run or Run()
  run.examples = len(examples)
  values = servable.execute({plan[2]: batch for plan in plans}, fetches, run)
  found = dict(zip(fetches, values, strict=True))
  results: list[Classes | Array] = []
  for _, method, _, outputs in plans:
    arrays = {name: found[tensor] for name, tensor in outputs.items()}
    convert = to_classes if method == CLASSIFY else to_values
    results.append(convert(arrays, len(examples)))
  return results


class NoSignature(FailedPrecondition):
  """The model has no such signature."""


class InvalidMethod(FailedPrecondition):
  """The signature is for another method."""

  http_status = 500
  grpc_code = "INTERNAL"

  def __init__(self, method: str):
    super().__init__(
      f"Expected prediction signature method_name to be one of {{{PREDICT}, {CLASSIFY}, {REGRESS}}}"
      f". Was: {method}"
    )


def _feeds(
  wanted: Mapping[str, Any],
  defaults: Mapping[str, Any],
  inputs: Mapping[str, Any],
  read: Callable[[Any], Array],
) -> dict[str, Array]:
  """Maps tensor name to value."""
  if len(inputs) > len(wanted) or (len(inputs) < len(wanted) and not defaults):
    raise InvalidArgument(
      f"input size does not match signature: {len(inputs)}!={len(wanted)} len({_set(inputs)}) != "
      f"len({_set(wanted)}). Sent extra: {_set(set(inputs) - set(wanted))}. Missing but required: "
      f"{_set(set(wanted) - set(inputs) - set(defaults))}."
    )
  feeds, used = {}, 0
  for alias, info in wanted.items():
    tensor = info.name
    if alias in inputs:
      used += 1
      try:
        feeds[tensor] = read(inputs[alias])
      except (TensorParseError, MemoryError) as err:
        raise InvalidArgument(f"tensor parsing error: {alias}") from err
    elif alias in defaults:
      feeds[tensor] = array_from_proto(defaults[alias])
    else:
      raise InvalidArgument(
        f"Signature input alias: {alias}(feed name: {tensor}) not found in request and no default "
        f"value provided. Inputs expected to be in the request {_set(inputs)}, or default input "
        f"alias set: {_set(defaults)}"
      )
  if used < len(inputs):
    known = _set(set(inputs) & set(wanted))
    raise InvalidArgument(
      f"Inputs contains invalid name. Used request inputs: {known}, request input: {_set(inputs)}"
    )
  return feeds


def _fetches(outputs: Mapping[str, str], output_filter: Sequence[str]) -> Mapping[str, str]:
  """Maps output name to tensor name, sorted by name: the same outputs are one kind of run."""
  if not output_filter:
    return outputs
  wanted: set[str] = set()
  for alias in output_filter:
    if alias not in outputs:
      raise InvalidArgument(
        f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
        f"{_set(outputs)}."
      )
    if alias in wanted:
      raise InvalidArgument(f"duplicate output tensor alias: {alias}")
    wanted.add(alias)
  return {alias: tensor for alias, tensor in outputs.items() if alias in wanted}


def _set(names: Any) -> str:
  return "{" + ",".join(sorted(names)) + "}"
