"""Labels and texts that no page expects: very long, turned around, or with characters unseen."""

import re

import pytest

from pipeline.report import render

_LONG = "x" * 120
_TURNED = "\u202etac\u202c \u05db\u05dc\u05d1 \x1b[0m\x85"
_LABELS = ["cat", _LONG, _TURNED]


@pytest.fixture
def page(make_data, tmp_path):
  """The file of a report whose labels and texts are odd."""
  texts = [
    {
      "label": _LABELS[n],
      "predicted": _LABELS[n - 1],
      "score": 0.83,
      "split": "eval",
      "input": f"{_TURNED} 12.5 {'y' * 200}",
      "origin": f"{_TURNED}, row {n}",
      "link": None,
      "why": {
        "label": _LABELS[n - 1],
        "explained": 1.25,
        "speaks_for": [{"word": "z" * 90, "part": 0.5, "share": 1.0}],
        "speaks_against": [{"word": _TURNED, "part": -0.25, "share": 0.5}],
      },
    }
    for n in range(3)
  ]
  evaluation = {
    "metrics": {"accuracy": 0.5},
    "slices": [
      {"feature": "label", "value": each, "metrics": {"accuracy": 0.5}} for each in _LABELS
    ],
    "labels": _LABELS,
    "confusion": [[8, 2, 1], [5, 5, 1], [1, 1, 9]],
    "per_class": [
      {"label": each, "precision": 0.5, "recall": 0.8, "count": 10} for each in _LABELS
    ],
    "calibration": [],
  }
  path = tmp_path / "report.html"
  render.write_report(make_data(evaluation=evaluation, texts=texts, pictures=[]), path)
  return path


def test_marks_that_turn_what_stands_behind_them_are_named(page):
  text = page.read_text(encoding="utf-8")
  assert re.findall("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0e-\x1f\x7f-\x9f]", text) == []
  assert "[U+202E]tac[U+202C] \u05db\u05dc\u05d1 \u241b[0m[U+0085]" in text


@pytest.mark.parametrize("width", [1400, 768, 360])
def test_a_long_name_hides_no_column(tab, page, width):
  shown = tab(page.as_uri(), width=width, height=900, phone=width < 500)
  assert shown.js("document.documentElement.scrollWidth") <= width
  names = "[...document.querySelectorAll('tbody th, td.name')].map(each => each.offsetWidth)"
  assert max(shown.js(names)) <= min(0.4 * width + 20, 300)
  cut = (
    "[...document.querySelectorAll('.part')]"
    ".filter(each => each.offsetWidth > each.closest('td').clientWidth).length"
  )
  assert shown.js(cut) == 0
