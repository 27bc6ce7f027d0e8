"""`run` and `check`: what is refused before anything is loaded, and which ends are errors."""

from __future__ import annotations

import io

import pytest

import dlpipe
from dlpipe import errors
from pipeline.api import carrying_out, running
from pipeline.execution.events import Progress
from pipeline.execution.output import RealStreams
from pipeline.runs import result


@pytest.mark.parametrize(
  ("given", "message"),
  [
    ({"from_node": "Trianer"}, "from_node Trianer: the pipeline has no such node. Did you mean T"),
    ({"until_node": "Tuner"}, "until_node Tuner: this run has no Tuner"),
    ({"retries": -1}, "retries takes a whole number of at least 0. Received: -1"),
    ({"retries": True}, "retries takes a whole number of at least 0. Received: True"),
    ({"progress": "yes"}, "progress takes True, False or a function. Received: 'yes'"),
  ],
)
def test_arguments_that_cannot_hold_are_refused_first(class_folders, tmp_path, given, message):
  with pytest.raises(errors.BadInputError) as refused:
    dlpipe.run("images", data=class_folders("a", "b"), workspace=tmp_path / "w", **given)
  assert str(refused.value).startswith(message)
  assert not (tmp_path / "w").exists()


def _ended(state: str, **others) -> result.RunResult:
  return result.RunResult(
    run_id="r1",
    task="images",
    state=state,
    pushed_version=None,
    serving_dir="s",
    metrics={},
    gates=[],
    components=[],
    examples={},
    report=None,
    error="Trainer failed: no memory",
    **others,
  )


@pytest.mark.parametrize(
  ("others", "kind"),
  [
    ({}, errors.DlpipeError),
    ({"bad_input": True}, errors.BadInputError),
    ({"busy": True}, errors.BusyError),
  ],
)
def test_a_run_that_fails_is_an_error_of_its_kind(
  class_folders, tmp_path, monkeypatch, others, kind
):
  monkeypatch.setattr(
    carrying_out, "carry_out", lambda *args, **options: _ended(result.FAILED, **others)
  )
  with pytest.raises(errors.DlpipeError) as raised:
    dlpipe.run("images", data=class_folders("a", "b"), workspace=tmp_path / "w")
  assert type(raised.value) is kind
  first, second = str(raised.value).splitlines()
  assert first == "Trainer failed: no memory"
  assert second.startswith(f"The log is {tmp_path / 'w' / 'images' / 'logs'}")


@pytest.mark.parametrize("state", [result.REFUSED_DATA, result.REFUSED_MODEL])
def test_a_run_that_is_refused_comes_back(class_folders, tmp_path, monkeypatch, state):
  seen = []
  monkeypatch.setattr(carrying_out, "carry_out", lambda *args, **options: _ended(state))
  monkeypatch.setattr(running.history, "ended", lambda config, ended: seen.append(ended) or "run")
  assert dlpipe.run("images", data=class_folders("a", "b"), workspace=tmp_path / "w") == "run"
  assert [each.state for each in seen] == [state]


@pytest.mark.parametrize(("progress", "is_shown"), [(True, True), (False, False)])
def test_a_quiet_run_prints_nothing(class_folders, tmp_path, monkeypatch, progress, is_shown):
  screen = io.StringIO()
  event = Progress("Trainer", "epoch 1/3", {"epoch": 1})

  def carry_out(inputs, *, show, **options):
    with show(RealStreams(stdout=screen, stderr=screen)) as listener:
      listener(event)
    return _ended(result.REFUSED_DATA)

  monkeypatch.setattr(carrying_out, "carry_out", carry_out)
  monkeypatch.setattr(running.history, "ended", lambda config, ended: ended)
  options = {"data": class_folders("a", "b"), "workspace": tmp_path / "w"}
  dlpipe.run("images", **options, progress=progress)
  assert ("Read as folder" in screen.getvalue()) is is_shown
  assert ("epoch 1/3" in screen.getvalue()) is is_shown
  heard = []
  dlpipe.check("images", **options, progress=heard.append)
  assert heard == [event]
