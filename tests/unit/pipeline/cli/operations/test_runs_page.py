"""`dlpipe runs page`: one offline file of all runs, with what is served and what was changed."""

import dataclasses
import html.parser
import json
import re

import pytest
from click.testing import CliRunner

from components.trials import Trial, Trials
from components.versioned_pusher import stages
from dlpipe.errors import BadInputError
from dlpipe.verdicts import Ruling, Verdict
from pipeline.api import history
from pipeline.api.operations import runs_page
from pipeline.cli.operations.runs_page import page
from pipeline.runs import run_files
from pipeline.runs.facts import Facts
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task


class _Page(html.parser.HTMLParser):
  """The elements that may load something, and all text."""

  def __init__(self, text):
    super().__init__()
    self.links, self.texts, self.tags = [], [], set()
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    self.tags.add(tag)
    self.links += [value for name, value in attrs if name in ("href", "src")]

  def handle_data(self, data):
    self.texts.append(data)

  @property
  def text(self):
    return " ".join(" ".join(self.texts).split())


def _invoke(workspace, *arguments):
  return CliRunner().invoke(
    page, [*map(str, arguments), "--workspace", str(workspace)], catch_exceptions=False
  )


@pytest.fixture
def told(days):
  """Three runs: pushed, refused, pushed; the last two with other settings."""
  for day, state in enumerate(("pushed", "refused_model", "pushed")):
    run_id = days.run(day, state=state)
    config = make_config(
      get_task("images"),
      data_path=f"day-{day}",
      workspace=str(days.folder.root.parent),
      settings=[f"train.epochs={day + 3}"],
    )
    run_files.write(config, run_id)
  return days


def test_every_run_is_there_with_what_was_changed(told):
  folder = told.folder
  with stages.edited(folder) as found:
    found.pins = [1]
    found.changes.append(stages.change(stages.PINNED, 1, reason="the auditors <ask>"))
  done = _invoke(folder.root.parent, "images", "--json")
  path = folder.root.parent / "runs.html"
  assert json.loads(done.stdout) == {"task": "images", "runs": 3, "page": str(path)}
  shown = _Page(path.read_text())
  assert "version 2 , since" in shown.text or "version 2, since" in shown.text
  assert shown.text.index("run-002") < shown.text.index("run-001") < shown.text.index("run-000")
  assert re.search(r"--data: '\S+/day-1' -> '\S+/day-2'", shown.text)
  assert "train.epochs: 4 -> 5" in shown.text
  assert "train.epochs=3" in shown.text
  assert "accuracy 0.9, must be >= 0.5" in shown.text  # of the refused one
  assert "the auditors <ask>" in shown.text
  assert "pinned" in shown.text
  assert sorted(shown.links) == [f"images/reports/run-00{day}.html" for day in range(3)]
  assert not shown.tags & {"script", "link", "iframe", "img"}
  assert "default-src 'none'" in path.read_text()


def test_the_latest_alone_and_elsewhere(told, tmp_path):
  (tmp_path / "pages").mkdir()
  path = tmp_path / "pages" / "all.html"
  done = _invoke(told.folder.root.parent, "--count", 1, "-o", path)
  assert f"Wrote 1 runs to {path}" in done.stdout
  shown = _Page(path.read_text())
  assert "and 2 earlier ones that are not shown" in shown.text
  assert shown.links == ["../images/reports/run-002.html"]
  assert "train.epochs: 4 -> 5" in shown.text, "compared with a run that is not shown"


def test_trends_intervals_and_trials(told, tmp_path, monkeypatch):
  values = {"run-000": 0.6, "run-001": 0.4, "run-002": 0.8}
  past = [
    dataclasses.replace(run, metrics={"accuracy": values[run.run_id], "example_count": 9.0})
    for run in history.past_runs("images", str(told.folder.root.parent), None)
  ]
  monkeypatch.setattr(history, "past_runs", lambda *_: past)
  ruling = Ruling(metric="accuracy", bound=">= 0.5", value=0.8, passed=True, interval=(0.7, 0.9))
  change = dataclasses.replace(ruling, bound=">= 0.59 (the model before, within 0.01)")
  verdict = Verdict(rulings=(change, ruling), warnings=("few rows",))
  monkeypatch.setattr(history, "facts_of", lambda run, folder: Facts(verdicts=(verdict,)))
  trials = Trials(
    monitor="val_accuracy",
    mode="max",
    asked=2,
    best=2,
    trials=(
      Trial(trial=1, hyperparameters={"dropout": 0.1}, score=0.5),
      Trial(trial=2, hyperparameters={"dropout": 0.3}, score=0.7),
    ),
  )
  monkeypatch.setattr(runs_page, "_tuning", lambda run: trials)
  _invoke(told.folder.root.parent, "images")
  text = (told.folder.root.parent / "runs.html").read_text()
  assert text.count("<svg") == 1
  assert text.count('class="interval"') == 3
  assert text.count('circle class="live"') == 1
  assert text.count('circle class="refused"') == 1
  assert "accuracy of 3 runs; the latest is 0.8." in text
  shown = _Page(text).text
  assert "accuracy , bound 0.5" in shown or "accuracy, bound 0.5" in shown
  assert "0.7 to 0.9" in shown
  assert "2 trials by val_accuracy" in shown
  assert "few rows" in shown


def test_without_runs_it_says_so(tmp_path):
  _invoke(tmp_path)
  assert "There are no runs yet." in (tmp_path / "runs.html").read_text()


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (("-o", "page.pdf"), "-o takes a file that ends in .html. Received: 'page.pdf'"),
    (("-o", "nowhere/page.html"), "There is no folder 'nowhere' to write 'page.html' to."),
    (("nothing",), "Unknown task 'nothing'"),
  ],
)
def test_what_cannot_be_written_is_refused(tmp_path, arguments, message):
  with pytest.raises(BadInputError) as refused:
    _invoke(tmp_path, *arguments)
  assert message in str(refused.value)


def test_a_run_whose_files_are_damaged_spoils_no_page(told):
  [verdict] = [
    path / "verdict.json" for path in told.paths("run-001") if path.parent.name == "verdict"
  ]
  verdict.write_text('{"gates": [{"metric"')
  done = _invoke(told.folder.root.parent, "images")
  assert done.exit_code == 0
  shown = _Page((told.folder.root.parent / "runs.html").read_text())
  assert "What this run wrote cannot be read: " in shown.text
  assert "run-000" in shown.text
