"""Judges a model by the tests of its suite; BehaviourGate calls `judge` by its dotted path."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from dlpipe.records import EVAL
from dlpipe.verdicts import Ruling, Verdict
from pipeline.behaviour import pictures
from pipeline.behaviour.asking import Given, Model
from pipeline.behaviour.inputs import Measuring
from pipeline.behaviour.measuring import tested
from pipeline.behaviour.reading import suite_of
from pipeline.behaviour.results import Behaviour, Step, Tested, worst
from pipeline.behaviour.suite import Suite
from pipeline.gates import holds
from pipeline.rows.examples import first_bytes, read_some
from pipeline.settings.config import PipelineConfig
from pipeline.task import Task

# Not every test applies to every row, such as one of numbers to texts that have some.
_POOL = 10
_NAMED = 2  # failed cases that a reason names
_PREFIX = "behaviour."
_TINY = "a run with --tiny only measures what its suite calls `with_tiny: measure`"


def parameters(task: Task, config: PipelineConfig) -> dict[str, Any]:
  """Returns the argument `told` of `judge`, as JSON.

  Raises:
    BadInputError: the tests cannot be read.
  """
  suite = suite_of(task, config)
  return {
    "suite": suite.model_dump(mode="json"),
    "only_measured": _TINY if config.tiny and suite.with_tiny == "measure" else "",
    "rows": task.problem.rows,
    "input_key": task.input.key,
    "label_key": task.label_key,
    "is_text": task.input.kind == "text",
  }


def judge(directory: str, examples: str, model_dir: str, told: Mapping[str, Any]) -> Verdict:
  """Carries out every test, writes `behaviour.json` and returns the verdict.

  Args:
    directory: directory of the blessing.
    examples: directory of the `Examples` artifact.
    model_dir: directory of the SavedModel.
    told: the result of `parameters`.
  """
  suite = Suite.model_validate(told["suite"])
  found = Behaviour(only_measured=told["only_measured"])
  if suite.tests:
    pool = _pool(pathlib.Path(examples), suite, told)
    model = Model(model_dir, input_key=told["input_key"], rows=told["rows"])
    of = Measuring(model, suite, pool, is_text=told["is_text"])
    found = Behaviour(
      rows=min(suite.rows, len(pool)),
      tests=tuple(tested(of, test) for test in suite.tests),
      only_measured=told["only_measured"],
    )
    found = judged(found)
  target = pathlib.Path(directory)
  target.mkdir(parents=True, exist_ok=True)
  (target / Behaviour.FILE).write_text(found.to_text(allow_nan=False), encoding="utf-8")
  return verdict(found)


def _pool(examples: pathlib.Path, suite: Suite, told: Mapping[str, Any]) -> list[Given]:
  """Returns rows of eval; pictures are small, since a hundred large ones would fill the memory."""
  count = suite.rows * (_POOL if told["is_text"] else 1)
  found = []
  for each in read_some(examples, EVAL, count):
    value, label = each.values(told["input_key"], told["label_key"])
    data = first_bytes(value)
    if not told["is_text"]:
      picture = pictures.opened(data)
      if picture is None:
        continue
      data = pictures.encoded(picture)
    found.append(Given(data, tuple(label), each.origin.origin))
  return found


def judged(found: Behaviour) -> Behaviour:
  """Returns what came of the tests with the decision on each bound."""

  def of_step(step: Step) -> Step:
    passed = None if step.bound is None else holds(step.value, "<=", step.bound)
    return dataclasses.replace(step, passed=passed)

  tests = (dataclasses.replace(each, steps=tuple(map(of_step, each.steps))) for each in found.tests)
  return dataclasses.replace(found, tests=tuple(tests))


def verdict(found: Behaviour) -> Verdict:
  """Returns the rulings on tests that were judged.

  Where bounds only measure, what is beyond its bound is a warning and no ruling.
  """
  rulings = [ruling for each in found.tests for ruling in _rulings(each)]
  if not found.only_measured:
    return Verdict(rulings=tuple(rulings))
  return Verdict(
    rulings=tuple(ruling for ruling in rulings if ruling.passed),
    warnings=tuple(_beyond(ruling) for ruling in rulings if not ruling.passed),
  )


def _beyond(ruling: Ruling) -> str:
  value = "could not be measured" if ruling.value is None else f"is {ruling.value:.3g}"
  return (
    f"{ruling.metric} {value}, and would have to be {ruling.bound}: {ruling.reason} Nothing is "
    "refused for it with --tiny."
  )


def _rulings(of: Tested) -> Iterator[Ruling]:
  if of.unmeasured and not of.optional:
    yield Ruling(
      metric=_PREFIX + of.name,
      bound="measured",
      value=None,
      passed=False,
      reason=f"{of.reason}. It could not be measured: {of.unmeasured}.",
    )
  step = worst(of.steps)
  if step is None or step.bound is None or step.passed is None:
    return
  strength = f" at strength {step.strength}" if step.strength else ""
  yield Ruling(
    metric=_PREFIX + of.name,
    bound=f"<= {step.bound:g}{strength}",
    value=step.value,
    passed=step.passed,
    reason=f"{of.reason}. {_found(of, step, named=not step.passed)}",
    interval=step.interval,
  )


def _found(of: Tested, step: Step, *, named: bool) -> str:
  """Returns what was counted, and some cases that failed."""
  if step.quality is not None:
    before, after = step.quality
    counted = f"Of {step.tried} rows, {before:.1%} are right before it and {after:.1%} after it"
  else:
    counted = f"{step.failed} of {step.tried} failed"
  cases = of.cases[:_NAMED] if named else ()
  return f"{counted}: {'; '.join(case.sentence for case in cases)}." if cases else f"{counted}."
