"""Why beside each mistake: maps over pictures, words under texts, alignments, or why none."""

import pytest

from pipeline.report import render

PNG = "data:image/png;base64,AAAA"
ABOUT = {
  "kind": None, "of_number": False, "of_several": False, "explained": 2, "missing": "",
  "failed": 0, "failure": "",
}  # fmt: skip
ROW = {"label": "cat", "predicted": "dog", "score": 0.83, "origin": "a.csv, row 7", "split": "eval"}
MAP = {"label": "dog", "explained": 2.5, "map": PNG, "map_says": "most at the top left"}
WORDS = {
  "label": "dog",
  "explained": 2.512345,
  "speaks_for": [{"word": "<wag>", "part": 1.25, "share": 1.0}],
  "speaks_against": [{"word": "purr", "part": -0.5, "share": 0.4}],
}


@pytest.fixture
def page(make_data, read_page):
  """Returns a function that renders a report with reasons, from the fields of its data."""

  def make(**changes):
    about = {**ABOUT, **changes.pop("about")}
    given = {"pictures": [], "texts": [], "samples": [], **changes}
    return read_page(render.render(make_data(reasons=about, **given)))

  return make


def _alts(page):
  return [value for name, value in page.attributes if name == "alt"]


def test_a_map_lies_over_its_picture_and_is_said_in_words(page):
  shown = {**ROW, "data_uri": PNG, "size": (30, 20), "why": MAP}
  other = {**shown, "why": {**MAP, "label": "cow"}}
  plain = {**shown, "why": None}
  sizeless = {**shown, "size": None}
  found = page(pictures=[shown, other, plain, sizeless], about={"kind": "map"})
  picture, said = "a cat taken for dog", "Map of what speaks for {}: most at the top left"
  assert _alts(found) == [
    picture, said.format("dog"), picture, said.format("cow"), picture, picture,
  ]  # fmt: skip
  assert "red speaks for the answer, blue against it" in found.text
  assert "several labels" not in found.text
  # Only where it is not that of the answer.
  assert found.text.count("map of") == 1
  assert "83.0%, map of cow" in found.text
  assert ("style", "--w: 30; --h: 20") in found.attributes
  assert found.attributes.count(("type", "checkbox")) == 1


def test_words_have_their_parts_as_colour_and_as_number(page):
  found = page(texts=[{**ROW, "input": "a text", "why": WORDS}], about={"kind": "words"})
  [_, row] = found.tables["texts"]
  said = "a text for dog: <wag> +1.25 against: purr -0.5 in all 2.512"
  assert row[3].split() == said.split()
  assert ("style", "--s: 0.40") in found.attributes
  assert "speak for the answer (red) and against it (blue)" in found.text


def test_numbers_are_raised_and_lowered(page):
  row = {**ROW, "off": 3.0, "input": "a text", "why": {**WORDS, "label": None}}
  found = page(texts=[row], about={"kind": "words", "of_number": True})
  assert "raise it:" in found.tables["texts"][1][3]
  assert "lower it:" in found.tables["texts"][1][3]
  assert "words that raise the number and lower it" in found.text
  row = {**ROW, "off": 3.0, "data_uri": PNG, "size": (3, 3), "why": {**MAP, "label": None}}
  found = page(pictures=[row], about={"kind": "map", "of_number": True})
  assert "red raises the number, blue lowers it" in found.text


def test_of_several_labels_it_is_told_which_is_explained(page):
  row = {**ROW, "predicted": "dog | cow", "input": "a text", "why": WORDS}
  found = page(texts=[row], about={"kind": "words", "of_several": True})
  assert "Of several labels, the surest is explained." in found.text


def test_an_alignment_opens_below_the_translation(page):
  aligned = [
    {"word": "verde", "to": [{"word": "green", "part": 0.75, "share": 0.75}]},
    {"word": "la", "to": []},
  ]
  row = {**ROW, "input": "x", "worst": False, "why": {"label": None, "aligned": aligned}}
  found = page(samples=[row], about={"kind": "alignment"})
  [_, shown] = found.tables["samples"]
  assert shown[1].split() == [
    "dog", "why", "these", "words", "verde", "←", "green", "0.75", "la", "←", "no", "word", "in",
    "particular",
  ]  # fmt: skip
  assert "all words of an input share 1" in found.text


def test_cells_have_reasons_too_and_tell_if_not_all_have(page):
  rows = [{**ROW, "input": "a text", "why": why} for why in (WORDS, None)]
  cell = {"label": "cat", "predicted": "dog", "rows": rows}
  found = page(cells=[cell], about={"kind": "words", "explained": 1_200})
  assert "The worst examples are explained, 1,200 in all." in found.text
  assert "+1.25" in found.tables["cells"][1][3]
  assert "+1.25" not in found.tables["cells"][2][3]
  full = page(cells=[{**cell, "rows": rows[:1]}], about={"kind": "words"})
  assert "worst examples are explained" not in full.text


def test_where_there_are_none_the_report_says_why(page):
  found = page(texts=[{**ROW, "input": "x", "why": None}], about={"missing": "No <way>."})
  assert "Why each answer was given cannot be said here. No <way>." in found.text
  found = page(
    texts=[{**ROW, "input": "x", "why": WORDS}],
    about={"kind": "words", "failed": 2, "failure": "too long"},
  )
  assert "2 answers could not be explained: too long." in found.text


def test_without_rows_there_is_nothing_to_say(make_data, read_page):
  page = read_page(render.render(make_data(reasons=None)))
  assert "speaks for" not in page.text
