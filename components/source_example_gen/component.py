"""The component `SourceExampleGen`: its inputs, outputs and parameters.

Drawn into the pipeline by `pipeline.assembly`. The source's two functions are given by dotted path,
so that this package never imports a task.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.dsl.placeholder import placeholder
from tfx.types import channel_utils, component_spec, standard_artifacts

from components.artifacts import Quarantine
from components.source_example_gen import driver, executor, sources
from components.spans import executor as spans_executor
from dlpipe.errors import BadInputError


class SourceExampleGenSpec(component_spec.ComponentSpec):
  """The interface of `SourceExampleGen`; parameters as its constructor documents them."""

  PARAMETERS = {
    "plan_fn": component_spec.ExecutionParameter(type=str),
    "read_fn": component_spec.ExecutionParameter(type=str),
    "data_path": component_spec.ExecutionParameter(type=str),
    "options": component_spec.ExecutionParameter(type=str),
    "label_key": component_spec.ExecutionParameter(type=str),
    "relabel": component_spec.ExecutionParameter(type=str, optional=True),
    "relabelled_key": component_spec.ExecutionParameter(type=str, optional=True),
    "read_label": component_spec.ExecutionParameter(type=str, optional=True),
    "spans": component_spec.ExecutionParameter(type=str, optional=True),
    sources.COPIES: component_spec.ExecutionParameter(type=str, optional=True),
    "code_fingerprint": component_spec.ExecutionParameter(type=str),
    "val_fraction": component_spec.ExecutionParameter(type=float),
    "eval_fraction": component_spec.ExecutionParameter(type=float),
    driver.FINGERPRINT_KEY: component_spec.ExecutionParameter(type=str, optional=True),
  }
  INPUTS: dict[str, component_spec.ChannelParameter] = {}
  OUTPUTS = {
    "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
    "quarantine": component_spec.ChannelParameter(type=Quarantine),
  }


class SourceExampleGen(base_beam_component.BaseBeamComponent):
  """Reads a source into train, val and eval examples; records that it cannot use go to quarantine.

  Outputs:
    examples: `standard_artifacts.Examples`, splits train, val and eval as gzipped TFRecords of
      tf.Example, laid out as TFX's own ExampleGens do.
    quarantine: `Quarantine`: the rejected records, with reasons and copies, and all counts.
  """

  SPEC_CLASS = SourceExampleGenSpec
  EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
  DRIVER_CLASS = driver.Driver

  def __init__(
    self,
    *,
    plan_fn: str,
    read_fn: str,
    data_path: str,
    options: Mapping[str, Any],
    label_key: str,
    code_fingerprint: str,
    relabel: str | None = None,
    relabelled_key: str = "",
    read_label: str = "",
    spans: str | None = None,
    val_fraction: float = 0.1,
    eval_fraction: float = 0.1,
    input_fingerprint: str | placeholder.Placeholder | None = None,
    copies: str | None = None,
  ):
    """Constructs the component.

    Args:
      plan_fn: dotted path of the source's `plan(path, options) -> SourcePlan`.
      read_fn: dotted path of the source's `read(shard, options) -> records`.
      data_path: the input, as the source's functions take it.
      options: the `data` options, JSON-serialisable.
      label_key: the feature whose values are counted, each of several; empty for answers that are
        no classes.
      code_fingerprint: changes when the source's code changes, so that a cached result does not
        outlive the code it came from.
      relabel: a CSV of new labels by origin, as `components.source_example_gen.relabel` reads it.
      relabelled_key: the feature that it replaces.
      read_label: dotted path of `(cell, options) -> value of that feature`.
      spans: how the spans of `data_path` are chosen, from `components.spans.window.Settings`; None
        for data without spans.
      val_fraction: part of the drawn records that goes to val, 0 to 1.
      eval_fraction: part of the drawn records that goes to eval, 0 to 1.
      input_fingerprint: the state of the input, from `SourceState`, if the driver does not run.
      copies: the folder for copies of input from stores; None if the input is on a disk.

    Raises:
      BadInputError: the fractions leave nothing to train on.
    """
    if not (0 <= val_fraction and 0 <= eval_fraction and val_fraction + eval_fraction < 1):
      raise BadInputError(
        "The fractions of val and eval must be at least 0 and together less than 1. "
        f"Received: val_fraction={val_fraction!r}, eval_fraction={eval_fraction!r}"
      )
    super().__init__(
      spec=SourceExampleGenSpec(
        plan_fn=plan_fn,
        read_fn=read_fn,
        data_path=data_path,
        options=json.dumps(dict(options), sort_keys=True),
        label_key=label_key,
        code_fingerprint=code_fingerprint,
        val_fraction=float(val_fraction),
        eval_fraction=float(eval_fraction),
        **(
          {"relabel": relabel, "relabelled_key": relabelled_key, "read_label": read_label}
          if relabel
          else {}
        ),
        **({"spans": spans} if spans else {}),
        **({sources.COPIES: copies} if copies else {}),
        **({} if input_fingerprint is None else {driver.FINGERPRINT_KEY: input_fingerprint}),
        examples=channel_utils.as_channel([standard_artifacts.Examples()]),
        quarantine=channel_utils.as_channel([Quarantine()]),
      ),
      custom_executor_spec=executor_spec.BeamExecutorSpec(spans_executor.Executor)
      if spans
      else None,
    )
