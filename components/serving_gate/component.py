"""`ServingGate`: infra validation and training/serving parity in one; what the assembly imports."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.serving_gate import executor


class ServingGateSpec(component_spec.ComponentSpec):
  """What `ServingGate` reads and writes."""

  INPUTS = {
    executor.MODEL: component_spec.ChannelParameter(type=standard_artifacts.Model),
    executor.MODEL_RUN: component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
  }
  OUTPUTS = {
    executor.BLESSING: component_spec.ChannelParameter(type=standard_artifacts.InfraBlessing)
  }
  PARAMETERS = {
    executor.TOLERANCE: component_spec.ExecutionParameter(type=float),
    executor.CODE_FINGERPRINT: component_spec.ExecutionParameter(type=str),
  }


class ServingGate(base_component.BaseComponent):
  """Replays recorded rows through an export and refuses it where an answer differs.

  The export is loaded as TensorFlow Serving does and as Python does; in each, every serving
  signature runs with batches of one and of all rows, and is held to what the model answered in the
  training process. Unlike TFX's InfraValidator it needs neither Docker nor Kubernetes.

  A refused model is no failure of this component: it records `blessed` 0 with the reasons, and
  whatever pushes must ask.

  Component `outputs` contains:

  - `blessing`: `standard_artifacts.InfraBlessing` with the custom property `blessed` (1 or 0) and
    the file INFRA_BLESSED or INFRA_NOT_BLESSED, as InfraValidator writes them, and `parity.json`:
    `{"passed", "rows", "tolerance", "reasons", "paths": [{"loader", "signature", "output",
    "batch", "max_difference", "passed", "reason"}]}`.
  """

  SPEC_CLASS = ServingGateSpec
  EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

  def __init__(
    self,
    *,
    model: types.BaseChannel,
    model_run: types.BaseChannel,
    tolerance: float = 1e-5,
    code_fingerprint: str = "",
  ):
    """Draws the component.

    Args:
      model: a `Model`, from Trainer.
      model_run: the same Trainer's `ModelRun`, which holds `parity/`.
      tolerance: the largest absolute difference of an output's numbers that passes.
      code_fingerprint: changes when the component's code changes, so that it runs again.
    """
    spec = ServingGateSpec(
      **{
        executor.MODEL: model,
        executor.MODEL_RUN: model_run,
        executor.TOLERANCE: tolerance,
        executor.CODE_FINGERPRINT: code_fingerprint,
        executor.BLESSING: types.Channel(type=standard_artifacts.InfraBlessing),
      }
    )
    super().__init__(spec=spec)
