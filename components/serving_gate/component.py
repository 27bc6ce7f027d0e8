"""`ServingGate`: infra validation and training/serving parity in one."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.serving_gate import executor


class ServingGateSpec(component_spec.ComponentSpec):
  """The inputs, outputs and parameters of `ServingGate`."""

  INPUTS = {
    executor.MODEL: component_spec.ChannelParameter(type=standard_artifacts.Model),
    executor.MODEL_RUN: component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
  }
  OUTPUTS = {
    executor.BLESSING: component_spec.ChannelParameter(type=standard_artifacts.InfraBlessing)
  }
  PARAMETERS = {
    executor.MODEL_NAME: component_spec.ExecutionParameter(type=str),
    executor.TOLERANCE: component_spec.ExecutionParameter(type=float),
    executor.MAX_LATENCY_MS: component_spec.ExecutionParameter(type=float, optional=True),
    executor.SERVING_RELEASE: component_spec.ExecutionParameter(type=str, optional=True),
    executor.CODE_FINGERPRINT: component_spec.ExecutionParameter(type=str),
  }


class ServingGate(base_component.BaseComponent):
  """Replays recorded rows through an export and refuses it if an answer differs.

  The export is loaded as TensorFlow Serving does and as Python does, then by the embedded model
  server, a separate process that is asked over REST and gRPC. In each, every serving signature
  runs with batches of one and of all rows, and is compared with the model's answers in the training
  process. The example requests beside the export are executed, and the latency of single rows is
  measured. The graph's ops are compared with those of a release of TensorFlow Serving. Unlike TFX's
  InfraValidator it needs neither Docker nor Kubernetes.

  A refused model is no failure of this component: it records `blessed` 0 with the reasons, and
  the pusher must read them.

  Component `outputs` contains:

  - `blessing`: `standard_artifacts.InfraBlessing` with the custom property `blessed` (1 or 0) and
    the file INFRA_BLESSED or INFRA_NOT_BLESSED, as InfraValidator writes them; `parity.json`,
    a `Parity`; and, if the model is refused, `server.log`, what the server wrote if it was started.
  """

  SPEC_CLASS = ServingGateSpec
  EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

  def __init__(
    self,
    *,
    model: types.BaseChannel,
    model_run: types.BaseChannel,
    model_name: str,
    tolerance: float = 1e-5,
    max_latency_ms: float | None = None,
    serving_release: str | None = None,
    code_fingerprint: str = "",
  ):
    """Draws the component.

    Args:
      model: a `Model`, from Trainer.
      model_run: the same Trainer's `ModelRun`, which holds `parity/`.
      model_name: the name that the model is served under.
      tolerance: the largest difference of an output's numbers that passes; where they are larger
        than 1, as a part of the largest.
      max_latency_ms: the largest p99 of requests of one row, over REST and over gRPC, that passes;
        None for no limit.
      serving_release: the tag of the image `tensorflow/serving` that will serve, such as 2.16.1 or
        2.16.1-gpu; None for the newest that is no newer than the TensorFlow of the run.
      code_fingerprint: changes when the component's code changes, so that it runs again.
    """
    spec = ServingGateSpec(
      **{
        executor.MODEL: model,
        executor.MODEL_RUN: model_run,
        executor.MODEL_NAME: model_name,
        executor.TOLERANCE: tolerance,
        executor.MAX_LATENCY_MS: max_latency_ms,
        executor.SERVING_RELEASE: serving_release,
        executor.CODE_FINGERPRINT: code_fingerprint,
        executor.BLESSING: types.Channel(type=standard_artifacts.InfraBlessing),
      }
    )
    super().__init__(spec=spec)
