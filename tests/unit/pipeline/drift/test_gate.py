"""DriftGate's judgement: what is compared with what, what the past says, what is shown."""

import collections
import hashlib
import json
import pathlib

import pytest
import tensorflow as tf

from components.source_example_gen.summary import SpanSeen, Summary
from components.spans.together import Parts
from dlpipe.errors import BadInputError
from pipeline.drift import examples, gate
from pipeline.drift.profile import Profile
from pipeline.drift.verdict import Drift


@pytest.fixture
def judge(profiled, serve, schema, tmp_path, told):
  """Returns a function that judges rows against the version that is served."""

  def compare(name, rows, val=(), *, serving=None, text=None, **changed):
    profile_dir, examples_dir = profiled(name, rows, val)
    return gate.judge(
      profile_dir,
      examples_dir,
      schema() if text is None else schema(text),
      serving or str(tmp_path / "serving"),
      str(tmp_path / "drift.json"),
      {**told, **changed},
    )

  return compare


@pytest.fixture
def served(profiled, serve, reviews):
  """A version trained on 300 reviews."""
  profile_dir, _ = profiled("first", reviews(300), reviews(100, seed=9))
  return serve(1, profile_dir)


def test_without_a_version_there_is_nothing_to_compare(judge, reviews):
  found = judge("today", reviews(50))
  assert (found.version, found.changes) == (None, ())
  assert found.notes == ("No version is served to compare with.",)


def test_a_version_of_an_older_release_is_said(judge, reviews, serve):
  serve(4)
  [note] = judge("today", reviews(50)).notes
  assert "Version 4 has no data_profile.json" in note


def test_the_data_of_the_served_version_are_no_news(judge, reviews, served, tmp_path):
  found = judge("again", reviews(300), reviews(100, seed=9))
  assert found.changes == ()
  assert "These are the data of the version" in found.notes[0]
  assert not (tmp_path / "drift.json").exists(), "it would say that nothing ever changes"


def test_other_rows_of_the_same_kind_are_quiet_and_become_the_past(
  judge, reviews, served, tmp_path
):
  found = judge("tomorrow", reviews(200, seed=5))
  assert found.changes
  assert found.drifted == ()
  assert found.findings == []
  [seen] = json.loads((tmp_path / "drift.json").read_text())["seen"]
  assert seen["excess"].keys() == {change.feature for change in found.changes}
  judge("tomorrow again", reviews(200, seed=5))
  assert len(json.loads((tmp_path / "drift.json").read_text())["seen"]) == 1


def test_data_that_are_only_looked_at_do_not_become_the_past(judge, reviews, served, tmp_path):
  assert judge("tomorrow", reviews(200, seed=5), remembers=False).changes
  assert not (tmp_path / "drift.json").exists()


def test_what_changed_is_said_with_rows_that_show_it(judge, reviews, served):
  rows = [(f"{text} and furthermore {text}", label) for text, label in reviews(200, positive=0.95)]
  found = judge("tomorrow", rows)
  assert [change.feature for change in found.drifted[:2]] == [
    "length in words",
    "length in characters",
  ]
  [finding] = found.findings
  assert finding["what"].startswith("The data differ from those of version 1, which is served: ")
  assert "length in words: median " in finding["what"]
  assert 0 < len(found.examples) <= 10
  assert all(each.origin.startswith("tomorrow.csv, row ") for each in found.examples)
  assert any("length in words" in why for each in found.examples for why in each.why)
  assert found.examples[0].text
  assert found.verdict.passed
  assert found.verdict.warnings
  assert Drift.from_text(found.to_text()) == found


def test_a_change_refuses_if_it_is_to_and_does_not_become_the_past(
  judge, reviews, served, tmp_path
):
  found = judge("tomorrow", reviews(200, positive=0.95), severity="refuse")
  assert not found.verdict.passed
  assert "drift of label mix" in found.verdict.failed
  message = found.refusal()
  assert "- label mix: bad -> good (good 4" in message
  assert "--set gates.drift=warn" in message
  assert "tomorrow.csv, row " in message
  assert not (tmp_path / "drift.json").exists()
  assert judge("quiet", reviews(200, seed=5), severity="refuse").verdict.passed


def test_the_bound_of_the_schema_holds_for_labels(judge, reviews, served):
  text = (
    'feature { name: "label" type: BYTES drift_comparator { infinity_norm { threshold: 0.01 } } }'
  )
  found = judge("tomorrow", reviews(200, positive=0.6, seed=5), text=text)
  [change] = [each for each in found.changes if each.feature == "label mix"]
  assert change.drifted
  assert change.bound == 0.01


def test_a_comparator_that_is_not_used_is_said(judge, reviews, served):
  text = 'feature { name: "text" drift_comparator { infinity_norm { threshold: 0.01 } } }'
  [note] = judge("tomorrow", reviews(100, seed=5), text=text).notes
  assert "drift_comparator of 'text' is not used" in note


@pytest.mark.parametrize(
  ("rows", "said"),
  [(8, ("8 rows are too few",)), (40, ("Of 40 rows only large changes",)), (200, ())],
)
def test_what_a_small_day_cannot_show_is_said(judge, reviews, served, rows, said):
  notes = judge("tomorrow", reviews(rows, seed=5)).notes
  assert tuple(note[: len(each)] for note, each in zip(notes, said, strict=True)) == said


def test_a_damaged_past_is_a_sentence(judge, reviews, served, tmp_path):
  (tmp_path / "drift.json").write_text("{")
  with pytest.raises(BadInputError, match=r"drift.json is damaged.*Move it away"):
    judge("tomorrow", reviews(100, seed=5))


def test_a_profile_counts_every_label_and_the_unknown_words_of_val(profiled, reviews):
  profile_dir, _ = profiled("first", reviews(300), [("nothing familiar whatsoever", "good")] * 20)
  found = Profile.read(pathlib.Path(profile_dir))
  assert found.names["label mix"].counts.keys() == {"good", "bad"}
  assert found.numbers["unknown words"].mean == 1
  assert found.rows == 300


@pytest.fixture
def windowed(tmp_path, told):
  """Returns a function that writes a window of spans, by name; the last is the newest."""

  def write(**rows):
    place = tmp_path / f"window {len(list(tmp_path.glob('window *')))}"
    folder = place / "examples" / "Split-train"
    folder.mkdir(parents=True)
    files, names = {}, {}
    for number, (name, some) in enumerate(rows.items()):
      path = folder / f"data-{number}.gz"
      with tf.io.TFRecordWriter(str(path), options="GZIP") as writer:
        for text, label in some:
          example = tf.train.Example()
          example.features.feature["text"].bytes_list.value.append(text.encode())
          example.features.feature["label"].bytes_list.value.append(label.encode())
          writer.write(example.SerializeToString())
      kept = hashlib.sha256(repr(some).encode()).hexdigest()
      files[kept], names[kept] = {"train": [path.name]}, name
    parts = Parts(root="kept", files=files, names=names)
    (place / "examples" / Parts.FILE).write_text(parts.to_text())
    labels = {n: collections.Counter(label for _, label in some) for n, some in rows.items()}
    spans = tuple(SpanSeen(name=n, content="c", labels=dict(each)) for n, each in labels.items())
    total = sum(labels.values(), collections.Counter())
    summary = Summary(
      examples={"train": sum(total.values())}, labels={"train": dict(total)}, spans=spans
    )
    for name in ("quarantine", "profile"):
      (place / name).mkdir()
    (place / "quarantine" / Summary.FILE).write_text(summary.to_text())
    written = examples.files(str(place / "examples"), str(place / "quarantine"), told)
    for name, text in written.items():
      (place / "profile" / name).write_text(text)
    return [str(place / name) for name in ("profile", "examples")]

  return write


def _longer(rows):
  return [(f"{text} and {text}", label) for text, label in rows]


def test_of_a_window_the_newest_span_is_compared(windowed, served, schema, tmp_path, told, reviews):
  parts = windowed(day1=reviews(300, seed=4), day2=_longer(reviews(30, seed=6)))
  found = gate.judge(*parts, schema(), served, str(tmp_path / "drift.json"), told)
  assert found.span == "day2"
  assert {"length in words"} <= {change.feature for change in found.drifted}
  assert found.findings[0]["what"].startswith(
    "The data of span day2 differ from those of version 1"
  )
  assert found.drifted[0].rows[1] == 30
  assert len(found.examples) == 10


def test_a_span_that_was_corrected_or_came_late_is_compared_once(
  windowed, served, schema, tmp_path, told, reviews
):
  def judged(severity, **spans):
    own = {**told, "severity": severity}
    return gate.judge(*windowed(**spans), schema(), served, str(tmp_path / "drift.json"), own)

  days = {f"day{number}": reviews(200, seed=number) for number in (3, 4, 5)}
  assert judged("warn", **days).late == (), "nobody knows which spans were compared before"
  whole = {**days, "day6": reviews(200, seed=6)}
  assert judged("warn", **whole).late == ()
  wrong = {**whole, "day4": _longer(days["day4"])}
  for _ in range(2):  # what was refused stays news
    found = judged("refuse", **wrong)
    assert found.drifted == ()
    assert [part.span for part in found.late] == ["day4"]
    assert "drift of length in words in span day4" in found.verdict.failed
    assert (
      "The data of span day4, which is new or corrected since it was compared, differ from those "
      "of version 1"
    ) in found.refusal()
  [finding] = judged("warn", **wrong).findings
  assert "span day4" in finding["what"]
  assert Drift.from_text(found.to_text()) == found
  assert judged("warn", **wrong).findings == []
  right = {**whole, "day5": reviews(200, seed=9), "day4": days["day4"]}
  assert [(part.span, part.drifted) for part in judged("refuse", **right).late] == [("day5", ())]


def test_spans_that_another_release_read_anew_are_not_late(
  windowed, served, schema, tmp_path, told, reviews
):
  def judged(**spans):
    return gate.judge(*windowed(**spans), schema(), served, str(tmp_path / "drift.json"), told)

  judged(**{f"day{number}": reviews(100, seed=number) for number in (3, 4, 5)})
  anew = judged(**{f"day{number}": _longer(reviews(100, seed=number)) for number in (3, 4, 5)})
  assert anew.late == ()
