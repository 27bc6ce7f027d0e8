"""`SourceState`: the state of the input files as a node's output.

For backends that run no drivers of ours: there `SourceExampleGen` is given the fingerprint as a
parameter, and the backend's cache sees a change of the input as it sees any other. The node itself
must not be cached.
"""

# No `from __future__ import annotations` here: `@component` reads real annotations.
from typing import TypedDict

from tfx.dsl.component.experimental.annotations import Parameter
from tfx.dsl.component.experimental.decorators import component

from components.source_example_gen import sources


class State(TypedDict):
  """The state found; `fingerprint` is the plan's."""

  fingerprint: str


@component
def SourceState(  # noqa: N802 - TFX takes the component's class name from the function
  plan_fn: Parameter[str],
  data_path: Parameter[str],
  options: Parameter[str],
  relabel: Parameter[str] = "",
  copies: Parameter[str] = "",
) -> State:
  """Plans the source and reads nothing.

  Args:
    plan_fn: dotted path of the source's `plan(path, options) -> SourcePlan`.
    data_path: the input.
    options: the `data` options as JSON.
    relabel: the file of new labels; empty for none.
    copies: the folder for copies of input from stores; empty if the input is on a disk.

  Raises:
    BadInputError: the source cannot use the input.
  """
  plan = sources.make_plan(
    {
      "plan_fn": plan_fn,
      "data_path": data_path,
      "options": options,
      "relabel": relabel,
      sources.COPIES: copies,
    }
  )
  return {"fingerprint": plan.fingerprint}
