"""What `--why` shows: words with their parts, alignments, maps in files; within 80 columns."""

import doctest

import pytest

from dlpipe.errors import DlpipeError
from pipeline.api.asking import Input
from pipeline.cli import why
from pipeline.cli.why import explained, why_lines
from pipeline.explanations import values

_SUM = {"explained": 1.0, "intercept": 0.25, "unexplained": 0.0}


def _inputs(*shown):
  return [Input(each, b"value", None) for each in shown]


@pytest.mark.parametrize(("module", "count"), [(why, 1), (values, 3)])
def test_the_examples_hold(module, count):
  assert doctest.testmod(module) == (0, count)


def test_rows_are_cut_to_their_own_length():
  outputs = {
    "source_tokens": ["la", "casa", ""],
    "target_tokens": ["house", ""],
    "alignment": [[0.25, 0.75, 0.0], [0.0, 0.0, 0.0]],
  }
  assert values.trimmed(outputs) == {
    "source_tokens": ["la", "casa"],
    "target_tokens": ["house"],
    "alignment": [[0.25, 0.75]],
  }


def test_equal_words_are_one_and_what_hardly_counts_is_left_out():
  reason = {
    "tokens": ["good", "the", "good", "bad"],
    "contributions": [0.5, 0.001, 0.25, -0.25],
    "terms": ["good", "the good"],
    "term_contributions": [0.5, 0.125],
    **_SUM,
    "label": "pos",
  }
  assert why_lines(reason) == [
    "why pos: 1.000, of which words 0.501 and the start 0.250",
    "for:     good +0.750",
    "against: bad -0.250",
    "phrases: the good +0.125",
  ]


def test_marks_are_told_from_our_own():
  reason = {
    "tokens": [",", "n't"],
    "contributions": [0.5, 0.25],
    "terms": [", n't"],
    "term_contributions": [0.125],
    **_SUM,
  }
  assert why_lines(reason)[1:] == ['for:     "," +0.500, n\'t +0.250', 'phrases: ", n\'t" +0.125']


def test_what_is_unexplained_is_told():
  reason = {"map": [[0.5]], "explained": 1.0, "intercept": 0.25, "unexplained": 0.25}
  assert why_lines(reason) == [
    "why: 1.000, of which places 0.500, the start 0.250 and unexplained 0.250"
  ]


def test_lines_fit_the_screen_and_break_between_words():
  words = [f"{'word' * 9}{number}" for number in range(30)]
  reason = {"tokens": words, "contributions": [1.0] * 30, **_SUM, "label": "x" * 30}
  lines = why_lines(reason)
  assert max(map(len, lines)) <= 76
  assert all(line.rstrip(",").endswith("+1.000") for line in lines[2:])


def test_an_alignment_is_a_table():
  reason = {
    "source_tokens": ["la", "casa", "verde"],
    "target_tokens": ["the", "green", "house"],
    "alignment": [[0.9, 0.05, 0.05], [0, 0.25, 0.75], [0.05, 0.9, 0.05]],
  }
  assert why_lines(reason) == [
    "the   <- la 0.90",
    "green <- verde 0.75, casa 0.25",
    "house <- casa 0.90",
  ]


def test_maps_are_written_into_the_current_folder_under_names_of_their_own(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  answers = [{"map": [[1.0, 0.0]], "map_png_bytes": each, **_SUM} for each in (b"one", b"two")]
  asked = _inputs("cats/7.png", "none.png", "dogs/7.jpg")
  rows = [{"label": "cat"}, {"error": "no picture"}, {"label": "dog"}]
  first, second, third = explained(asked, rows, lambda values: answers)
  assert second is None
  assert (first["map_file"], third["map_file"]) == ("7.why.png", "7-2.why.png")
  assert (tmp_path / "7.why.png").read_bytes() == b"one"
  assert (tmp_path / "7-2.why.png").read_bytes() == b"two"
  assert "map_png_bytes" not in first
  assert why_lines(first)[-1] == "map of 1 x 2 places, red for it: 7.why.png"


def test_a_folder_that_cannot_be_written_is_told(tmp_path, monkeypatch):
  (tmp_path / "7.why.png").mkdir()
  monkeypatch.chdir(tmp_path)
  answers = [{"map": [[1.0]], "map_png_bytes": b"one", **_SUM}]
  with pytest.raises(DlpipeError, match=r"Cannot write the map '7\.why\.png' into "):
    explained(_inputs("7.png"), [{"label": "cat"}], lambda values: answers)


def test_an_explanation_that_failed_is_told():
  [reason] = explained(_inputs("a"), [{"label": "x"}], lambda values: ["too long"])
  assert why_lines(reason) == ["no explanation: too long"]


def test_no_map_is_written_over_another_one(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  shown = ["a/cat.png", "b/cat.png", "cat-2.png", "CAT.png"]
  answers = [{"map": [[1.0]], "map_png_bytes": each.encode(), **_SUM} for each in shown]
  found = explained(_inputs(*shown), [{}] * 4, lambda values: answers)
  names = [each["map_file"] for each in found]
  assert len({name.lower() for name in names}) == 4
  assert [(tmp_path / name).read_text() for name in names] == shown


def test_an_explanation_of_a_tasks_own_names_its_parts():
  assert why_lines({"explained": 1.5, "columns": [1.0, 0.5], "label": "x"}) == [
    "why x: 1.500",
    "--json has the parts: columns",
  ]
  assert why_lines({"explained": 1.5, "intercept": 0.5, "columns": [1.0]}) == [
    "why: 1.500, of which the start 0.500",
    "--json has the parts: columns",
  ]
  assert why_lines({"map_file": "a.why.png"}) == ["map, red for it: a.why.png"]
