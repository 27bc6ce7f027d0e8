"""`VersionedPusher`: publishes a model that every gate blessed."""

from __future__ import annotations

from collections.abc import Mapping

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.versioned_pusher import executor, stages
from dlpipe import nodes


class VersionedPusherSpec(component_spec.ComponentSpec):
  """The inputs, outputs and parameters of `VersionedPusher`."""

  INPUTS = {
    executor.MODEL: component_spec.ChannelParameter(type=standard_artifacts.Model),
    **{
      gate.pusher_input: component_spec.ChannelParameter(
        type=getattr(standard_artifacts, gate.blessing_type)
      )
      for gate in nodes.model_gates().values()
    },
    # What the model card is written from; a pipeline of an older release draws none of them.
    **{
      name: component_spec.ChannelParameter(type=artifact_type, optional=True)
      for name, artifact_type in executor.CARD_INPUTS.items()
    },
  }
  OUTPUTS = {
    executor.PUSHED_MODEL: component_spec.ChannelParameter(type=standard_artifacts.PushedModel)
  }
  PARAMETERS = {
    executor.SERVING_DIR: component_spec.ExecutionParameter(type=str),
    executor.DATA_OPTIONS: component_spec.ExecutionParameter(type=str),
    executor.CARD: component_spec.ExecutionParameter(type=str),
    executor.CARD_FACTS: component_spec.ExecutionParameter(type=str),
    executor.STAGE: component_spec.ExecutionParameter(type=str),
    executor.COPY_TO: component_spec.ExecutionParameter(type=str, optional=True),
    executor.CODE_FINGERPRINT: component_spec.ExecutionParameter(type=str),
  }


class VersionedPusher(base_component.BaseComponent):
  """Publishes a model under the next version number, atomically, if every gate blessed it.

  To refuse a model is no failure of this component: it records `pushed` 0 and publishes nothing.

  Component `outputs` contains:

  - `pushed_model`: `standard_artifacts.PushedModel` with the custom properties of TFX's own Pusher:
    `pushed` (1 or 0), `pushed_destination` and `pushed_version`; the directory holds `pushed.json`.
  """

  SPEC_CLASS = VersionedPusherSpec
  EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

  def __init__(
    self,
    *,
    model: types.BaseChannel,
    serving_dir: str,
    data_options: str = "{}",
    card: str = "",
    card_facts: str = "{}",
    card_inputs: Mapping[str, types.BaseChannel] | None = None,
    stage: str = stages.LIVE,
    copy_to: str | None = None,
    code_fingerprint: str = "",
    **blessings: types.BaseChannel,
  ):
    """Draws the component.

    Args:
      model: a `Model`, from Trainer.
      serving_dir: a local directory that a model server polls; made if it is missing.
      data_options: the user's settings of `data`, as JSON; kept in the version's record.
      card: dotted path of a function that writes the model card; empty for none. It maps
        `{input: directories}` and the content of `card_facts` to `{file name: text}`.
      card_facts: what the function is told beside the artifacts, as JSON.
      card_inputs: the artifacts that the card is written from, by the names in
        `executor.CARD_INPUTS`.
      stage: `live`, or `candidate` for a version that servers do not take until it is promoted.
      copy_to: the address of a store to which what becomes live is copied, also by promoting and
        rolling back; None for none.
      code_fingerprint: changes when the component's code changes, so that it runs again.
      **blessings: the blessing of each gate that `dlpipe.nodes.model_gates` names, by its
        `pusher_input`: `model_blessing` from Evaluator, `infra_blessing` from ServingGate.

    Raises:
      TypeError: a gate's blessing is missing, or no gate is known to give one.
    """
    expected = {gate.pusher_input for gate in nodes.model_gates().values()}
    if set(blessings) != expected:
      raise TypeError(
        f"VersionedPusher takes the blessings {', '.join(sorted(expected))}. "
        f"Received: {', '.join(sorted(blessings)) or 'none'}"
      )
    spec = VersionedPusherSpec(
      **{
        executor.MODEL: model,
        **blessings,
        **(card_inputs or {}),
        executor.SERVING_DIR: serving_dir,
        executor.DATA_OPTIONS: data_options,
        executor.CARD: card,
        executor.CARD_FACTS: card_facts,
        executor.STAGE: stage,
        **({executor.COPY_TO: copy_to} if copy_to else {}),
        executor.CODE_FINGERPRINT: code_fingerprint,
        executor.PUSHED_MODEL: types.Channel(type=standard_artifacts.PushedModel),
      }
    )
    super().__init__(spec=spec)
