"""`dlpipe watch`: a sentence, a line of JSON, an exit code and metrics for what has changed."""

import json
import pathlib

import pytest
from click.testing import CliRunner

from components.versioned_pusher.publish import publish
from dlpipe.errors import BadInputError
from pipeline.cli.operations.watch import watch
from pipeline.drift.measuring import Kind, Measure, Row

_KIND = Kind(is_text=True, has_classes=True, has_one_class=True)
_USUAL = [(f"it was a fine film, number {n}", "pos" if n % 2 else "neg", 0.9) for n in range(120)]
_STRANGE = [(f"der Film ist nicht gut und das ist er nie, {n}", "neg", 0.5) for n in range(60)]


@pytest.fixture
def invoke(tmp_path):
  """Returns a function that watches the requests of `write_log`, in a workspace with a version."""
  model = tmp_path / "model"
  model.mkdir()
  (model / "saved_model.pb").write_bytes(b"")
  rows = [Row(value=text.encode(), labels=[label.encode()]) for text, label, _ in _USUAL]
  answers = [Row(answer={"label": label, "score": score}) for _, label, score in _USUAL]
  profile = Measure(_KIND).profile(rows).also(Measure(_KIND).profile(answers))
  card = {profile.FILE: profile.to_text()}
  publish(model, tmp_path / "sentiment" / "serving", card=card)

  def run(*arguments):
    given = ["sentiment", "--workspace", str(tmp_path), "--log", str(tmp_path / "log")]
    return CliRunner().invoke(watch, [*given, *map(str, arguments)], catch_exceptions=False)

  return run


def test_usual_requests_are_quiet(write_log, invoke):
  write_log(*_USUAL)
  done = invoke()
  assert done.exit_code == 0, done.output
  assert done.stdout.startswith("120 requests, compared with version 1: nothing has changed\n")


def test_strange_requests_are_named_and_end_with_3(write_log, invoke, tmp_path):
  write_log(*_STRANGE)
  done = invoke("--json", "--metrics", tmp_path / "dlpipe.prom")
  assert done.exit_code == 3
  found = json.loads(done.stdout.splitlines()[-1])
  assert found["state"] == "drift"
  assert "language: en -> de" in found["alarms"][0]
  assert found["examples"][0]["text"].startswith("der Film")
  assert 'feature="language"} 1' in (tmp_path / "dlpipe.prom").read_text()
  assert "Changed: " in done.stderr
  page = pathlib.Path(found["report"]).read_text(encoding="utf-8")
  assert "language: en -&gt; de" in page
  assert "der Film ist nicht gut" in page


def test_labels_say_how_many_answers_are_right(write_log, invoke, tmp_path):
  write_log(*_USUAL[:4], client=lambda number: f"order-{number}")
  labels = tmp_path / "labels.csv"
  labels.write_text("id,label\norder-0,neg\norder-1,neg\n")
  done = invoke("--labels", labels)
  assert "Live accuracy 0.5 of 2 labelled (" in done.stdout


def test_labels_in_other_letters_are_refused_and_those_of_no_class_told(
  write_log, invoke, tmp_path
):
  write_log(*_USUAL[:4], client=lambda number: f"order-{number}")
  labels = tmp_path / "labels.csv"
  labels.write_text("id,label\norder-0,neg\norder-1,POS\n")
  with pytest.raises(BadInputError, match="the label 'POS', and version 1 answers 'pos'"):
    invoke("--labels", labels)
  labels.write_text("id,label\norder-0,neg\norder-1,mixed\n")
  done = invoke("--labels", labels)
  assert "No class of version 1: mixed." in done.stderr
  assert "Live accuracy 0.5 of 2 labelled (" in done.stdout


@pytest.mark.parametrize(
  ("arguments", "said"),
  [
    (("--since", "soon"), "--since takes a moment such as 2026-01-31"),
    (("--since", "2999-01-01"), "--since must lie before the end"),
    (("--until", "2001-01-01"), "Found none: nobody asked, the server logged none"),
    (("--metrics", "/nowhere/at/all.prom"), "There is no folder to write"),
    (("--labels", "/nowhere.csv"), "'/nowhere.csv' cannot be read"),
  ],
)
def test_what_cannot_work_is_a_sentence(write_log, invoke, arguments, said):
  write_log(*_USUAL[:3])
  with pytest.raises(BadInputError, match=said):
    invoke(*arguments)


def test_labels_are_for_classes(tmp_path):
  with pytest.raises(BadInputError, match="The answer of 'translation' is none"):
    CliRunner().invoke(
      watch,
      ["translation", "--labels", "l.csv", "--workspace", str(tmp_path)],
      catch_exceptions=False,
    )


def test_without_a_version_there_is_nothing_to_compare(write_log, tmp_path):
  write_log(*_USUAL[:3])
  with pytest.raises(BadInputError, match="No version of 'sentiment' is served"):
    CliRunner().invoke(
      watch,
      ["sentiment", "--workspace", str(tmp_path), "--log", str(tmp_path / "log")],
      catch_exceptions=False,
    )
