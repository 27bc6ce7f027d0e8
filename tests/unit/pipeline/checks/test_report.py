"""`check_data` on artifacts as `SourceExampleGen` leaves them, and its result in words."""

import collections
import dataclasses
import json
import pathlib

import pytest

from components.source_example_gen import origins
from components.source_example_gen.origins import Origin
from pipeline.checks import render, report
from pipeline.suspects import review
from pipeline.tasks.images.task import TASK

WORDS = dataclasses.replace(
  TASK,
  input=dataclasses.replace(TASK.input, key="text", describe="pipeline.checks.text.describe"),
  label_key="label",
)
UNMEASURED = dataclasses.replace(WORDS, input=dataclasses.replace(WORDS.input, describe=None))
TEXTS = dataclasses.replace(WORDS, input=dataclasses.replace(WORDS.input, kind="text"))


@pytest.fixture
def artifacts(tmp_path):
  """Returns a function that writes `{split: [(input, label)]}`, origins and rejected rows."""
  import tensorflow as tf

  def write(splits, rejected=(), input_key="text", counted=True, names=None):
    for split, rows in splits.items():
      folder = tmp_path / "examples" / f"Split-{split}"
      folder.mkdir(parents=True)
      path = str(folder / "data_tfrecord-00000-of-00001.gz")
      with tf.io.TFRecordWriter(path, options="GZIP") as writer:
        for value, label in rows:
          example = tf.train.Example()
          feature = example.features.feature
          feature[input_key].bytes_list.value.append(value)
          if isinstance(label, int):
            feature["label"].int64_list.value.append(label)
          else:
            feature["label"].bytes_list.value.append(label)
          writer.write(example.SerializeToString())
      if names is not None:
        lines = [origins.line(Origin(name)) for name in names[split]]
        origins.write(origins.path_beside(path), lines)
    quarantine = tmp_path / "quarantine"
    quarantine.mkdir()
    reasons = {reason: sum(r == reason for _, r in rejected) for _, reason in rejected}
    summary = {
      "examples": {split: len(rows) for split, rows in splits.items()},
      "labels": {split: _counts(rows) if counted else {} for split, rows in splits.items()},
      "reasons": reasons,
    }
    (quarantine / "summary.json").write_text(json.dumps(summary))
    (quarantine / "rejected.jsonl").write_text(
      "".join(json.dumps({"origin": o, "reason": r}) + "\n" for o, r in rejected)
    )
    return tmp_path / "examples", quarantine

  return write


def _counts(rows):
  labels = [label if isinstance(label, int) else label.decode() for _, label in rows]
  return dict(sorted(collections.Counter(map(str, labels)).items()))


def _check(task, artifacts, tmp_path, **options):
  examples, quarantine = artifacts
  return report.check_data(
    task,
    examples=examples,
    quarantine=quarantine,
    gates=[],
    kept=tmp_path / "kept",
    **options,
  )


@pytest.fixture
def planted(artifacts, tmp_path):
  """Texts with a copy across splits, a contradiction and a near-copy; the check of them."""
  train = [
    (f"this is the text number {i} of many".encode(), b"ab"[i % 2 : i % 2 + 1]) for i in range(30)
  ]
  train += [(b"fine", b"a"), (b"fine", b"b")]
  held_out = [(train[0][0], b"a"), (b"THIS is the text number 1 of many!", b"b"), (b"new", b"a")]
  rejected = [("a.csv, row 7", "not UTF-8")] * 6 + [("a.csv, row 9", "no label")]
  return _check(WORDS, artifacts({"train": train, "val": [], "eval": held_out}, rejected), tmp_path)


def test_everything_planted_is_found(planted):
  assert planted["examples"] == {"train": 32, "val": 0, "eval": 3}
  assert planted["labels"] == {"train": {"a": 16, "b": 16}, "val": {}, "eval": {"a": 2, "b": 1}}
  assert {f["name"]: f["count"] for f in planted["findings"]} == {
    "leaks": 1,
    "near_leaks": 1,
    "contradictions": 2,
  }
  leak, near_leak, contradiction = planted["findings"]
  text = "this is the text number 0 of many"
  assert leak["examples"] == [
    [
      {"split": "train", "label": "a", "input": text},
      {"split": "eval", "label": "a", "input": text},
    ]
  ]
  assert [row["input"] for row in near_leak["examples"][0]] == [
    "this is the text number 1 of many",
    "THIS is the text number 1 of many!",
  ]
  assert {row["label"] for row in contradiction["examples"][0]} == {"a", "b"}
  assert planted["quarantined"] == [
    {"reason": "not UTF-8", "count": 6, "records": ["a.csv, row 7"] * 5},
    {"reason": "no label", "count": 1, "records": ["a.csv, row 9"]},
  ]
  assert planted["compared"] == 35
  assert json.loads(json.dumps(planted)) == planted


def test_what_the_source_warned_of_is_a_finding(artifacts, tmp_path):
  rows = [(f"text number {i}".encode(), b"ab"[i % 2 : i % 2 + 1]) for i in range(30)]
  examples, quarantine = artifacts({"train": rows, "val": [], "eval": rows[:0]})
  warnings = ["the class c is empty", "column 3 is odd"]
  summary = {"reasons": {}, "recognized": {"warnings": warnings}}
  (quarantine / "summary.json").write_text(json.dumps(summary))
  found = _check(WORDS, (examples, quarantine), tmp_path)
  of_source = [f for f in found["findings"] if f["name"] == "recognized"]
  assert [f["what"] for f in of_source] == ["The class c is empty.", "Column 3 is odd."]
  assert all(f["level"] == "warning" for f in of_source)
  assert "Warning     The class c is empty.\n" in "\n".join(render.lines(found))


def test_the_result_in_words(planted):
  shown = render.lines(planted, width=90)
  assert all(len(line) <= 90 for line in shown)
  text = "\n".join(shown)
  assert "Labels      train 'a' 16 (50%), 'b' 16 (50%)\n            eval  'a' 2 (67%)" in text
  assert "Lengths     characters: 3 to 34, median 34" in text
  assert "Warning     1 input in val or eval with an equal one in another split.\n" in text
  assert "            - train: this is the text number 0 of many [a]\n" in text
  assert "              eval: this is the text number 0 of many [a]\n" in text
  assert "Bad records 6 quarantined: not UTF-8\n              a.csv, row 7\n" in text
  assert shown[-1] == "Data check  3 warnings in 35 examples"


def test_a_long_input_leaves_room_for_its_label():
  rows = [{"split": "train", "label": "L" * 80, "input": text} for text in ("short", "i" * 200)]
  short, long = render._example(rows, 90)
  assert short.startswith("            - train: short [LLLL")
  assert len(short) == len(long) == 90
  assert long.count("L") == 29


def test_a_second_check_reads_what_the_first_has_kept(artifacts, tmp_path):
  paths = artifacts({"train": [(b"one", b"a"), (b"one", b"a")], "val": [], "eval": []})
  first = _check(WORDS, paths, tmp_path)
  for file in paths[0].rglob("*.gz"):
    file.unlink()
  assert _check(WORDS, paths, tmp_path) == first
  # Another way to describe is another question.
  again = _check(UNMEASURED, paths, tmp_path)
  assert again["examples"] == {"train": 0, "val": 0, "eval": 0}
  assert len(list((tmp_path / "kept").iterdir())) == 2


def test_a_task_without_classes_has_no_labels(artifacts, tmp_path):
  task = dataclasses.replace(WORDS, problem=WORDS.problem.but(contradicts=False))
  splits = {"train": [(b"one", b"un"), (b"one", b"une")], "val": [], "eval": []}
  paths = artifacts(splits, counted=False)
  found = _check(task, paths, tmp_path)
  assert found["labels"] is None
  assert [f["name"] for f in found["findings"]] == ["several_answers"]
  assert render.lines(found)[-1] == "Data check  0 warnings in 2 examples"


def test_pictures_are_named_by_their_files(artifacts, class_folders, tmp_path):
  root = class_folders("cat", "dog", count=15)
  same = (root / "cat" / "0.png").read_bytes()
  (root / "dog" / "copy.png").write_bytes(same)
  files = sorted(root.rglob("*.png"))
  rows = [(p.read_bytes(), p.parent.name.encode()) for p in files]
  names = {"train": [str(p.relative_to(root)) for p in files], "val": [], "eval": []}
  paths = artifacts({"train": rows, "val": [], "eval": []}, input_key="image", names=names)
  found = _check(TASK, paths, tmp_path)
  assert found["lengths"]["width"] == dict.fromkeys(("min", "p5", "median", "p95", "max"), 12)
  assert [(f["name"], f["count"]) for f in found["findings"]] == [("contradictions", 2)]
  [[first, second]] = found["findings"][0]["examples"]
  files = {row["label"]: row["file"] for row in (first, second)}
  assert files == {"cat": "cat/0.png", "dog": "dog/copy.png"}
  assert first["input"].startswith("PNG, 12 x 10 pixels, ")
  assert "width: always 12" in "\n".join(render.lines(found))


def test_pictures_that_are_no_files_are_written_to_look_at(artifacts, make_picture, tmp_path):
  rows = [(make_picture(seed=1), b"cat"), (make_picture(seed=1), b"dog")]
  paths = artifacts({"train": rows, "val": [], "eval": []}, input_key="image")
  found = _check(TASK, paths, tmp_path)
  [example] = found["findings"][0]["examples"]
  files = [pathlib.Path(row["file"]) for row in example]
  assert [file.read_bytes() for file in files] == [make_picture(seed=1)] * 2
  assert {file.name for file in files} == {"0.png", "1.png"}
  assert _check(TASK, paths, tmp_path) == found


def test_labels_that_are_numbers_are_read(artifacts, tmp_path):
  paths = artifacts({"train": [(b"one", 3), (b"two", 10)], "val": [], "eval": []})
  assert _check(WORDS, paths, tmp_path)["labels"]["train"] == {"10": 1, "3": 1}


def test_many_labels_are_summed_up():
  labels = {"train": {f"l{i}": 10 + i for i in range(12)}, "val": {}, "eval": {}}
  check = {
    "examples": {"train": 2_000_000},
    "labels": labels,
    "lengths": {},
    "met": {"turned by EXIF": 1_200, "in CMYK": 3},
    "findings": [],
    "quarantined": [],
    "compared": 1_000_000,
  }
  shown = render.lines(check)
  assert shown[1] == "Labels      train 12 labels, from 'l0' 10 to 'l11' 21"
  assert shown[2] == "Met         1,200 turned by EXIF, 3 in CMYK"
  assert shown[3] == (
    "Data check  0 warnings in 2,000,000 examples; near-duplicates were looked for among the first"
  )


def test_control_characters_of_the_data_do_not_reach_the_terminal(artifacts, tmp_path):
  rows = [(b"red \x1b[31m text", b"a\x1b[0m")] * 2
  found = _check(WORDS, artifacts({"train": rows, "val": [], "eval": []}), tmp_path)
  assert "\x1b" not in "".join(render.lines(found))


def test_a_picture_that_a_table_names_has_its_file_and_its_row(artifacts, make_picture, tmp_path):
  rows = [(make_picture(seed=1), b"cat"), (make_picture(seed=1), b"dog")]
  names = ["p.csv, row 2: a/1.png", "p.csv, row 3: a/2.png"]
  paths = artifacts(
    {"train": rows, "val": [], "eval": []},
    input_key="image",
    names={"train": names, "val": [], "eval": []},
  )
  [example] = _check(TASK, paths, tmp_path)["findings"][0]["examples"]
  assert sorted((row["file"], row["origin"]) for row in example) == [
    ("a/1.png", names[0]),
    ("a/2.png", names[1]),
  ]


def test_rows_of_a_file_are_named_even_where_nothing_describes_them(artifacts, tmp_path):
  rows = [(b"other", b"a"), (b"10.5", b"a"), (b"10.5", b"b"), (b"last", b"a")]
  task = dataclasses.replace(UNMEASURED, input=dataclasses.replace(UNMEASURED.input, kind="text"))
  paths = artifacts(
    {"train": rows, "val": [], "eval": []},
    names={"train": [f"x.csv, row {n}" for n in range(2, 6)], "val": [], "eval": []},
  )
  found = _check(task, paths, tmp_path)
  [example] = found["findings"][0]["examples"]
  assert sorted((row["label"], row["input"], row["origin"]) for row in example) == [
    ("a", "10.5", "x.csv, row 3"),
    ("b", "10.5", "x.csv, row 4"),
  ]
  assert "              train: x.csv, row 3: 10.5 [a]" in render.lines(found)


@pytest.fixture
def doubtful(artifacts):
  """Artifacts of 200 texts of which two have another's label."""
  words = {
    b"good": ["fine", "great", "lovely", "superb"],
    b"bad": ["dull", "poor", "awful", "tedious"],
  }
  rows = []
  for n in range(200):
    label = (b"good", b"bad")[n % 2]
    picked = [words[label][n // 2 % 4], words[label][n // 8 % 4], f"film{n}", f"word{n % 7}"]
    rows.append((" ".join(picked).encode(), label))
  for n in (10, 31):
    rows[n] = (rows[n][0], b"bad" if rows[n][1] == b"good" else b"good")
  names = {"train": [f"x.csv, row {n}" for n in range(200)], "val": [], "eval": []}
  return artifacts({"train": rows, "val": [], "eval": []}, names=names)


def test_wrong_labels_are_named_with_what_they_should_be(doubtful, tmp_path):
  found = _check(TEXTS, doubtful, tmp_path, labels=True)
  [finding] = [each for each in found["findings"] if each["name"] == "wrong_labels"]
  assert (finding["level"], finding["count"]) == ("warning", 2)
  rows = [row for [row] in finding["examples"]]
  assert {(row["origin"], row["label"], row["suggested"]) for row in rows} == {
    ("x.csv, row 10", "bad", "good"),
    ("x.csv, row 31", "good", "bad"),
  }
  shown = "\n".join(render.lines(found))
  assert "- train: x.csv, row 10: " in shown
  assert "[bad, rather good]" in shown
  lines = review.as_csv(found["suspects"]["likely"]).splitlines()
  assert lines[0].startswith("origin,split,label,new_label,suggested,")
  assert sum(line.startswith('"x.csv, row ') for line in lines) == 2
  assert json.loads(json.dumps(found)) == found


def test_a_search_that_finds_nothing_says_so(doubtful, tmp_path):
  found = _check(TEXTS, doubtful, tmp_path, labels=True)
  said = "none of 200 labels looks wrong"
  assert said not in "\n".join(render.lines(found))
  without = [each for each in found["findings"] if each["name"] != "wrong_labels"]
  assert said in "\n".join(render.lines({**found, "findings": without}))


def test_labels_are_looked_at_only_if_asked(doubtful, tmp_path):
  found = _check(TEXTS, doubtful, tmp_path)
  assert "suspects" not in found
  assert "looks wrong" not in "\n".join(render.lines(found))
  assert not [each for each in found["findings"] if each["name"] == "wrong_labels"]


def test_what_a_cheap_model_cannot_learn_is_not_judged(artifacts, tmp_path):
  rows = [(f"word{n}".encode(), (b"a", b"b")[n % 2]) for n in range(60)]
  found = _check(TEXTS, artifacts({"train": rows, "val": [], "eval": []}), tmp_path, labels=True)
  [finding] = [each for each in found["findings"] if each["name"].endswith("_labels")]
  assert (finding["name"], finding["level"]) == ("unjudged_labels", "note")


def test_files_that_are_no_pictures_are_not_judged(artifacts, tmp_path):
  rows = [(b"no picture %d" % n, b"ab"[n % 2 : n % 2 + 1]) for n in range(20)]
  found = _check(WORDS, artifacts({"train": rows, "val": [], "eval": []}), tmp_path, labels=True)
  [finding] = [each for each in found["findings"] if each["name"] == "unjudged_labels"]
  assert finding["details"] == ["20 inputs cannot be read as pictures"]


def test_what_the_page_shows_is_chosen_from_all_rows(artifacts, tmp_path):
  words = b"this is one of the many usual texts of this data"
  train = [(words + str(n).encode(), b"ab"[n % 2 : n % 2 + 1]) for n in range(40)]
  train += [("Совсем другой текст на другом языке".encode(), b"a"), (b"x" * 500, b"b")]
  train += [(b"again", b"a")] * 3
  names = {"train": [f"a.csv, row {n}" for n in range(len(train))], "val": [], "eval": []}
  found = _check(TEXTS, artifacts({"train": train, "val": [], "eval": []}, names=names), tmp_path)[
    "look"
  ]
  assert {label: len(rows) for label, rows in found["samples"].items()} == {"a": 6, "b": 6}
  assert found["samples"]["a"][1]["origin"] == "a.csv, row 2"
  odd = {each["name"]: each for each in found["odd"]}
  assert odd["longest"]["rows"][0]["input"].startswith("xxx")
  assert odd["longest"]["rows"][0]["value"] == "500 characters"
  [other] = odd["script"]["rows"]
  assert (other["origin"], other["value"]) == ("a.csv, row 40", "Cyrillic")
  [repeated] = found["repeated"]
  assert (repeated["count"], repeated["input"]) == (3, "again")
  [characters, _] = found["distributions"]
  assert characters["name"] == "characters"
  assert sum(characters["splits"]["train"]) == len(train)
