"""A `behaviour.yaml` is read whole, or refused with file, line and what is expected."""

import re

import pytest

from dlpipe.errors import BadInputError
from pipeline.behaviour import pictures, texts
from pipeline.behaviour.reading import read_suite, suite_of
from pipeline.behaviour.suite import PICTURE_CHANGES, TEXT_CHANGES, Suite
from pipeline.settings.reading import make_config
from pipeline.tasks import behaviour_path, get_task

_GOOD = """\
rows: 50
tests:
  - name: shouting
    kind: invariance
    change: upper_case
    at_most: 0.1
    reason: a reason
"""


@pytest.fixture
def written(tmp_path):
  """Returns a function that writes a file and returns its path."""

  def write(text, name="mine.yaml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path

  return write


@pytest.mark.parametrize("name", ["images", "sentiment", "translation"])
def test_a_shipped_task_has_tests_that_survive_the_way_into_a_node(name):
  suite = read_suite(behaviour_path(name), get_task(name))
  assert suite.with_tiny == "measure"
  assert len(suite.tests) >= 4
  assert Suite.model_validate(suite.model_dump(mode="json")) == suite


def test_every_change_has_a_function():
  assert set(texts._CHANGES) == set(TEXT_CHANGES)
  assert set(pictures._CHANGES) == set(PICTURE_CHANGES)


@pytest.mark.parametrize(
  ("old", "new", "line", "expected"),
  [
    ("at_most: 0.1", "at_most: 2", 6, "at_most must be at most 1. Received: 2"),
    ("    at_most: 0.1\n", "", 3, "at_most is missing"),
    ("    reason: a reason\n", "", 3, "reason is missing"),
    ("kind: invariance", "kind: invarance", 4, "Did you mean invariance? Received: 'invarance'"),
    ("kind: invariance", "knd: invariance", 3, "kind must be one of invariance, direction"),
    ("change: upper_case", "change: uper_case", 5, "must be a change: upper_case, lower_case"),
    ("change: upper_case", "change: blur", 3, "the input is of texts, whose changes are upper"),
    (
      "change: upper_case",
      "change: append",
      5,
      "must name a text, as in `append: ' That is all.'`",
    ),
    ("change: upper_case", "change: {replace: Anna}", 5, "must map a word to others"),
    ("change: upper_case", "change: {replace: {Anna: []}}", 5, "must map a word to one other or"),
    ("change: upper_case", "change: {replace: {Anna: }}", 5, "must map a word to one other or"),
    ("change: upper_case", "change: {replace: {'': [a]}}", 5, "an empty text is none"),
    ("change: upper_case", "change: {name: append, to: [], words: {}}", 5, "must name a text, as"),
    ("change: upper_case", "change: {name: replace, to: [], words: {}}", 5, "must map a word"),
    ("reason: a reason", "reason: ' '", 7, "reason"),
    ("change: upper_case", "change: {typos: 3}", 5, "change must be just typos, without a value"),
    ("    at_most", "    strengths_: 2\n    at_most", 6, "no such name. Did you mean strength?"),
    ("    at_most", "    strength: 4\n    at_most", 6, "strength must be at most 3. Received: 4"),
    ("    at_most", "    texts: ' '\n    at_most", 6, "texts must not hold an empty text"),
    ("    at_most", "    texts: []\n    at_most", 6, "texts must have 1 or more. Received: []"),
    ("    at_most", '    texts: "a {thing}"\n    at_most', 3, "{thing} has no words: add `words:"),
    ("rows: 50", "rows: 5", 1, "rows must be at least 10. Received: 5"),
    ("rows: 50", "rwos: 50", 1, "there is no such name. Did you mean rows?"),
    ("rows: 50", "with_tiny: no", 1, "with_tiny must be 'refuse' or 'measure'. Received: False"),
    ("rows: 50", "rows: [", 3, "this is no YAML"),
    ("rows: 50", "rows: 50\nrows: 60", 2, "'rows' stands there twice"),
    ("name: shouting", "name: [a]", 3, "name must be text. Received: ['a']"),
    ("  - name: shouting", "  - a\n  - name: shouting", 3, "each test must be a mapping"),
  ],
)
def test_what_is_wrong_is_refused_with_its_line(written, old, new, line, expected):
  assert _GOOD.count(old) == 1
  path = written(_GOOD.replace(old, new))
  with pytest.raises(BadInputError) as refused:
    read_suite(path, get_task("sentiment"))
  message = str(refused.value)
  assert re.search(rf"mine\.yaml, line {line}: ", message), message
  assert expected in message


@pytest.mark.parametrize(
  ("task", "test", "expected"),
  [
    ("images", "kind: copying, what: numbers", "copying is for models that answer a text with"),
    ("sentiment", "kind: copying, what: names", "copying is for models that answer a text with"),
    (
      "translation",
      "kind: direction, change: spaces, score: rises",
      "direction is for answers with the scores of classes, or numbers",
    ),
    (
      "sentiment",
      "kind: direction, change: spaces, score: rises, texts: [a b]",
      "score_of must name a class, since texts of the file have no label",
    ),
    (
      "images",
      "kind: minimum_functionality, cases: [{text: a, answer: b}]",
      "the input is a file: each case must have `file` or `colour`",
    ),
    (
      "sentiment",
      "kind: minimum_functionality, cases: [{colour: red, answer: b}]",
      "the input is a text: each case must have `text`",
    ),
    ("sentiment", "kind: minimum_functionality, cases: [{text: a}]", "either answer or contains"),
    ("images", "kind: minimum_functionality, cases: [{colour: rde, answer: b}]", "such as red or"),
    (
      "sentiment",
      "kind: minimum_functionality, cases: [{text: '', answer: b}]",
      "cases.0 must not hold an empty text",
    ),
    ("images", "kind: minimum_functionality, cases: [{file: a.png, answer: b}]", "cannot read 'a."),
    (
      "images",
      'kind: minimum_functionality, cases: [{file: "a\\0.png", answer: b}]',
      "cannot read 'a\\x00.png'",
    ),
    (
      "sentiment",
      "kind: minimum_functionality, cases: [{text: '"
      + "".join(f"{{w{n}}} " for n in range(10))
      + "', answer: b}], words: {"
      + ", ".join(f"w{n}: [a, b, c, d, e, f, g, h]" for n in range(10))
      + "}",
      "more than 1,000,000,000 choices of words",
    ),
  ],
)
def test_a_test_that_makes_no_sense_for_the_task_is_refused(written, task, test, expected):
  path = written(f"tests:\n  - {{name: it, reason: r, at_most: 0.5, {test}}}\n")
  with pytest.raises(BadInputError) as refused:
    read_suite(path, get_task(task))
  assert "mine.yaml, line 2: " in str(refused.value)
  assert expected in str(refused.value)


def test_a_value_that_anchors_repeat_is_cut_in_the_message(written):
  nested = ["&a0 [x, x, x, x, x, x, x, x, x, x]"]
  nested += [f"&a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
  path = written(_GOOD.replace("rows: 50", f"rows: [{', '.join(nested)}]"))  # 10^9 leaves
  with pytest.raises(BadInputError, match="rows must be a whole number") as refused:
    read_suite(path, get_task("sentiment"))
  assert len(str(refused.value)) < 2_000


@pytest.mark.parametrize("bounds", ["[0.1, 0.2]", "[0.1, 0.2, 3]", "yes", "a"])
def test_a_corruption_has_one_bound_or_three(written, bounds):
  path = written(
    f"tests:\n  - name: it\n    kind: corruption\n    change: blur\n    reason: r\n"
    f"    at_most: {bounds}\n"
  )
  with pytest.raises(BadInputError, match=r"line 6: at_most must be (a part|one bound)"):
    read_suite(path, get_task("images"))


def _suite_of(task, path):
  settings = [] if path is None else [f"gates.behaviour={path}"]
  known = get_task(task)
  return suite_of(known, make_config(known, data_path="d", workspace="w", settings=settings))


def test_a_file_replaces_or_extends_the_tests_of_the_task(written):
  own = [test.name for test in _suite_of("sentiment", None).tests]
  assert [t.name for t in _suite_of("sentiment", written(_GOOD)).tests] == ["shouting"]
  extended = written("extends: task\n" + _GOOD)
  assert [t.name for t in _suite_of("sentiment", extended).tests] == [*own, "shouting"]
  same = written("extends: task\n" + _GOOD.replace("shouting", "typos"))
  found = _suite_of("sentiment", same)
  assert [t.name for t in found.tests] == [*(n for n in own if n != "typos"), "typos"]
  assert (found.tests[-1].change.name, found.rows) == ("upper_case", 50)


def test_nothing_is_tested_where_nobody_wants_it():
  assert _suite_of("sentiment", "none").tests == ()


def test_a_file_that_is_missing_is_refused(tmp_path):
  with pytest.raises(BadInputError, match=r"Cannot read .*no\.yaml' \(gates\.behaviour\): No such"):
    _suite_of("sentiment", tmp_path / "no.yaml")


def test_two_tests_of_one_name_are_refused(written):
  path = written(_GOOD + _GOOD.partition("tests:\n")[2])
  with pytest.raises(BadInputError, match="line 8: a test is called 'shouting' already"):
    read_suite(path, get_task("sentiment"))


def test_pictures_of_cases_travel_with_the_suite_while_they_are_small(written, make_picture):
  path = written(
    "tests:\n  - name: it\n    kind: minimum_functionality\n    reason: r\n    at_most: 0\n"
    "    cases: [{file: a.png, answer: red}]\n"
  )
  (path.parent / "a.png").write_bytes(make_picture())
  [test] = read_suite(path, get_task("images")).tests
  assert test.cases[0].content
  (path.parent / "a.png").write_bytes(b"x" * 70_000)
  with pytest.raises(BadInputError, match=r"line 6: the files of all cases may have 65,536 bytes"):
    read_suite(path, get_task("images"))


def test_a_fault_of_an_item_is_told_once(written):
  path = written(
    "tests:\n  - {name: it, kind: minimum_functionality, reason: r, at_most: 0, "
    "cases: [{text: a, answer: 1}]}\n"
  )
  with pytest.raises(BadInputError) as refused:
    read_suite(path, get_task("sentiment"))
  assert str(refused.value).endswith("line 2: cases.0.answer.0 must be text. Received: 1.")
  assert str(refused.value).count("line 2") == 1
