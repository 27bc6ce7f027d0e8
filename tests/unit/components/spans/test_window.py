"""Windows of spans: which are in them, which are missing, and what is said of them."""

from __future__ import annotations

import os
import shutil

import pytest

from components.spans import window
from components.spans.contents import Contents
from components.spans.pattern import Pattern
from dlpipe.errors import BadInputError


@pytest.fixture
def inbox(tmp_path):
  """Returns a function that writes days of a month."""

  def fill(*days, text="text,label\n"):
    for day in days:
      folder = tmp_path / "inbox" / f"2026-11-{day:02d}"
      folder.mkdir(parents=True, exist_ok=True)
      (folder / "a.csv").write_text(f"{text}{day}")
    return Pattern(str(tmp_path / "inbox" / "{date}"))

  return fill


@pytest.fixture
def settings(tmp_path):
  def of(count=None, last=None):
    return window.Settings(window=count, last_span=last, root=str(tmp_path / "spans"))

  return of


def _names(chosen):
  return [span.name[-2:] for span in chosen.spans]


def test_a_window_counts_days_and_not_folders(inbox, settings):
  pattern = inbox(1, 2, 4, 5)
  chosen = window.choose(pattern, settings(4))
  assert _names(chosen) == ["02", "04", "05"]
  assert chosen.missing == ("2026-11-03",)
  assert _names(window.choose(pattern, settings())) == ["01", "02", "04", "05"]
  assert _names(window.choose(pattern, settings(2, "2026-11-02"))) == ["01", "02"]


def test_the_last_span_that_was_named_is_missing_if_it_is_not_there(inbox, settings):
  chosen = window.choose(inbox(1, 2), settings(2, "2026-11-03"))
  assert (_names(chosen), chosen.missing) == (["02"], ("2026-11-03",))


def test_days_before_the_first_of_all_are_not_missing(inbox, settings):
  assert window.choose(inbox(5, 6), settings(30)).missing == ()
  # The first of the window is, if there are older ones.
  assert window.choose(inbox(1), settings(3)).missing == ("2026-11-04",)


def test_weekends_that_never_have_data_are_not_missing(inbox, settings):
  workdays = [day for day in range(2, 28) if day % 7 not in (0, 1)]  # the 1st is a Sunday
  assert window.choose(inbox(*workdays), settings(30)).missing == ()
  pattern = inbox()
  shutil.rmtree(f"{pattern.root}/2026-11-12")
  assert window.choose(pattern, settings(30)).missing == ("2026-11-12",)


def test_spans_in_larger_steps_miss_none_between(inbox, settings, tmp_path):
  assert window.choose(inbox(2, 9, 16, 23), settings(30)).missing == ()
  shutil.rmtree(tmp_path / "inbox" / "2026-11-16")
  assert window.choose(inbox(30), settings(30)).missing == ("2026-11-16",)
  for number in (10, 20, 40, 50):
    (tmp_path / "numbers" / str(number)).mkdir(parents=True)
  found = window.choose(Pattern(str(tmp_path / "numbers" / "{span}")), settings())
  assert found.missing == ("30",)


@pytest.mark.parametrize(
  ("count", "last", "message"),
  [
    (3, "monday", "data.last_span must be a day such as 2026-11-30"),
    (2, "2026-12-24", "No span of .* lies in the window that ends with 2026-12-24. The last one"),
    (2, "2026-10-01", "The first is 2026-11-01"),
  ],
)
def test_a_window_without_spans_is_refused(inbox, settings, count, last, message):
  with pytest.raises(BadInputError, match=message):
    window.choose(inbox(1, 2), settings(count, last))


def _read(pattern, settings):
  """What a run that reads the window leaves."""
  chosen = window.choose(pattern, settings)
  contents = chosen.contents(Contents(settings.root))
  window.remember(settings.root, chosen, contents, {})
  return window.fingerprint(chosen, contents)


def _said(pattern, settings):
  return window.sentences(window.choose(pattern, settings), settings)


def test_nothing_new_is_told_from_nothing_changed_and_from_corrected(inbox, settings):
  asked = settings(3)
  pattern = inbox(1, 2, 3)
  assert "None of them was read here before." in _said(pattern, asked)[0]
  first = _read(pattern, asked)
  [said] = _said(pattern, asked)
  assert said == (
    "3 spans: 2026-11-01 to 2026-11-03, data.window=3. Nothing new: 2026-11-03 was read before. "
    "Nothing changed: no span has other content."
  )
  inbox(2, text="other,label\n")
  assert _said(pattern, asked)[0].endswith(
    "Nothing new: 2026-11-03 was read before. Corrected since they were read: 2026-11-02."
  )
  second = _read(pattern, asked)
  inbox(4)
  assert _said(pattern, asked)[0].endswith("New: 2026-11-04.")
  assert len({first, second, _read(pattern, asked)}) == 3


def test_files_that_were_only_copied_again_are_no_other_content(inbox, settings):
  asked = settings(2)
  pattern = inbox(1, 2)
  first = _read(pattern, asked)
  for span in pattern.find()[0]:
    path = f"{span.path}/a.csv"
    with open(path, encoding="utf-8") as file:
      text = file.read()
    with open(path, "w", encoding="utf-8") as file:
      file.write(text)
    os.utime(path, ns=(1, 1))
  assert "Nothing changed" in _said(pattern, asked)[0]
  assert _read(pattern, asked) == first


def test_another_folder_of_days_is_no_correction(inbox, settings, tmp_path):
  asked = settings()
  _read(inbox(1), asked)
  other = tmp_path / "other" / "2026-11-01"
  other.mkdir(parents=True)
  (other / "a.csv").write_text("else")
  [said] = _said(Pattern(str(tmp_path / "other" / "{date}")), asked)
  assert said.endswith("None of them was read here before.")


def test_a_higher_version_is_a_correction(tmp_path, settings):
  for version in (1, 2):
    folder = tmp_path / "inbox" / "7" / f"v{version}"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text(f"{version}")
    pattern = Pattern(str(tmp_path / "inbox" / "{span}" / "v{version}"))
    said = _said(pattern, settings())
    _read(pattern, settings())
  assert said[0].endswith("Corrected since they were read: 7 (version 2), before 1.")


def test_the_newest_day_is_missing_if_its_folder_has_nothing_that_fits(inbox, settings, tmp_path):
  inbox(1, 2)
  (tmp_path / "inbox" / "2026-11-03").mkdir()
  pattern = Pattern(str(tmp_path / "inbox" / "{date}" / "a.csv"))
  chosen = window.choose(pattern, settings(2))
  assert (_names(chosen), chosen.missing) == (["02"], ("2026-11-03",))
  assert "Warning: missing spans: 2026-11-03." in window.sentences(chosen, settings(2))


def test_numbers_that_do_not_count_spans_miss_none(settings, tmp_path):
  for number in (1_764_460_800, 1_764_547_201, 1_764_633_599):  # three days, in seconds since 1970
    (tmp_path / "spans" / f"{number}").mkdir(parents=True)
  assert window.choose(Pattern(str(tmp_path / "spans" / "{span}")), settings()).missing == ()


def test_what_is_remembered_is_replaced_whole(inbox, settings, monkeypatch):
  asked = settings(2)
  _read(inbox(1), asked)
  before = window.remembered(asked.root)
  pattern = inbox(2)

  def killed(*_):
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
      window.remember(
        asked.root, window.choose(pattern, asked), {"2026-11-01": "", "2026-11-02": ""}, {}
      )
  assert window.remembered(asked.root) == before != {}
