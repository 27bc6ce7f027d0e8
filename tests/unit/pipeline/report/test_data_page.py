"""The page on data: what the check found, with pictures and texts, in one safe file."""

import re

import pytest

from pipeline.report.data_page import DataPage, render_data

_EMPTY_LOOK = {"samples": {}, "odd": [], "repeated": [], "distributions": []}


def _check(**changes):
  return {
    "examples": {"train": 8, "val": 1, "eval": 1}, "labels": {"train": {"cat": 8}}, "lengths": {},
    "met": {}, "findings": [], "quarantined": [], "compared": 10, "look": _EMPTY_LOOK, **changes,
  }  # fmt: skip


def _page(check, data_path="", *, is_text=False, recognized=("Read as class folders.",)):
  return render_data(
    DataPage(
      task="images", data_path=str(data_path), recognized=recognized, check=check, is_text=is_text
    )
  )


def _words(html):
  return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL).split())


@pytest.fixture
def folder(tmp_path, make_picture):
  """A folder with two pictures."""
  for number in range(2):
    (tmp_path / f"{number}.png").write_bytes(make_picture("PNG", seed=number))
  return tmp_path


def _row(number, **changes):
  return {"split": "train", "label": "cat", "input": "PNG", "file": f"{number}.png", **changes}


def test_a_leak_is_shown_side_by_side_and_leads_to_both_files(folder):
  finding = {
    "name": "leaks", "level": "warning", "count": 1, "what": "1 input leaks.", "advice": "Mend it.",
    "details": ["a detail"], "examples": [[_row(0), _row(1, split="eval")]],
  }  # fmt: skip
  html = _page(_check(findings=[finding]), folder)
  assert html.count('src="data:image/png;base64,') == 2
  assert [f'href="{(folder / f"{n}.png").as_uri()}"' in html for n in range(2)] == [True, True]
  words = _words(html)
  assert "1 warning in 10 examples 1 input leaks." in words
  assert "Mend it. a detail cat , train 0.png cat , eval 1.png" in words


def test_odd_repeated_and_sampled_inputs_are_shown_with_what_was_measured(folder):
  look = {
    "samples": {"cat": [_row(0)]},
    "odd": [
      {"name": "dark", "what": "dark", "why": "Below 30.", "count": 30,
       "rows": [_row(1, value="brightness 7")]},
      {"name": "longest", "what": "longest", "why": "", "count": 1, "rows": [_row(1)]},
    ],
    "repeated": [{"count": 17, **_row(0)}],
    "distributions": [
      {"name": "width", "edges": [0, 1], "splits": {"train": [8], "val": [1], "eval": [1]}},
    ],
  }  # fmt: skip
  lengths = {"height": {"min": 8, "max": 8}, "width": {"min": 1, "max": 9}}
  words = _words(_page(_check(look=look, lengths=lengths), folder))
  assert "height: always 8." in words
  assert "30 dark Below 30. The oddest 1: cat , train, brightness 7 1.png" in words
  assert "The longest cat" in words
  assert "cat , train, 17 times" in words
  assert "Samples of each class" in words
  assert "width" in words
  assert "cat 8 (100.0%)" in words


def test_texts_are_read_and_escaped(tmp_path):
  evil = "<script>alert(1)</script>"
  look = {**_EMPTY_LOOK, "samples": {evil: [{"split": "train", "label": evil, "input": evil}]}}
  quarantined = [{"reason": evil, "count": 2, "records": [evil]}]
  suspects = {
    "looked_at": 10,
    "likely": [
      {"label": evil, "suggested": evil, "label_score": 0.1, "suggested_score": 0.9,
       "split": "eval", "input": evil, "origin": evil},
    ],
  }  # fmt: skip
  check = _check(look=look, quarantined=quarantined, suspects=suspects)
  html = _page(check, tmp_path, is_text=True, recognized=[evil])
  assert "<script" not in html
  assert html.count("&lt;script&gt;") >= 9
  assert not re.search(r"url\(|@import|https?://", html)
  assert "10.0% against 90.0%" in _words(html)


def test_pictures_have_a_bound_and_names_do_not(folder, monkeypatch):
  from pipeline.report import data_page

  monkeypatch.setattr(data_page, "_MOST_SHOWN", 1000)
  look = {**_EMPTY_LOOK, "samples": {"cat": [_row(n % 2) for n in range(6)]}}
  html = _page(_check(look=look), folder)
  assert 1 <= html.count("<img") < 6
  assert len(re.findall(r">\d\.png</a>", html)) == 6


def test_a_file_that_is_gone_is_named_only(tmp_path):
  look = {**_EMPTY_LOOK, "samples": {"cat": [_row(0)]}}
  html = _page(_check(look=look), tmp_path)
  assert "<img" not in html
  assert "0.png" in html
  assert 'href="file:' not in html
