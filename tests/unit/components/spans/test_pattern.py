"""Patterns of spans: what they find, and what is refused before anything is read."""

from __future__ import annotations

import pytest

from components.spans import pattern
from dlpipe.errors import BadInputError


def _fill(root, *names):
  for name in names:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("text,label\n")
  return root


@pytest.mark.parametrize(
  ("path", "names", "found"),
  [
    ("{date}.csv", ("2026-11-30.csv", "20261201.csv"), ["2026-11-30", "2026-12-01"]),
    ("{YYYY}/{MM}/day-{DD}", ("2026/11/day-30/a.csv",), ["2026-11-30"]),
    ("span-{SPAN}", ("span-2/a", "span-10/a"), ["2", "10"]),
    ("span-{span:3}", ("span-002/a", "span-10/a"), ["2"]),
    ("{span}/reviews.csv", ("7/reviews.csv", "8/other.csv"), ["7"]),
  ],
)
def test_a_pattern_finds_its_spans_in_their_order(tmp_path, path, names, found):
  _fill(tmp_path, *names)
  spans, *_ = pattern.Pattern(str(tmp_path / path)).find()
  assert [span.name for span in spans] == found


def test_a_days_number_is_that_of_tfx(tmp_path):
  from tfx.components.example_gen import utils

  _fill(tmp_path, "2026-11-30/a.csv")
  [span], *_ = pattern.Pattern(str(tmp_path / "{date}")).find()
  assert span.number == utils.date_to_span_number(2026, 11, 30)


def test_the_highest_version_of_a_span_counts(tmp_path):
  _fill(tmp_path, "1/v1/a.csv", "1/v10/a.csv", "1/v9/a.csv", "2/v1/a.csv")
  spans, *_ = pattern.Pattern(str(tmp_path / "{span}/v{version}")).find()
  assert [(span.name, span.version, span.prefix) for span in spans] == [
    ("1", 10, "1/v10/"),
    ("2", 1, "2/v1/"),
  ]


def test_what_fits_no_placeholder_is_told(tmp_path):
  _fill(tmp_path, "2026-11-30/a.csv", "2026-13-45/a.csv", "tmp/a.csv", ".hidden/a.csv")
  spans, unread, _ = pattern.Pattern(str(tmp_path / "{date}")).find()
  assert [span.name for span in spans] == ["2026-11-30"]
  assert sorted(unread) == ["2026-13-45", "tmp"]


@pytest.mark.parametrize(
  ("path", "message"),
  [
    ("in/{day}/", "there is no placeholder {day}. Known: {date}"),
    ("in/{date}/{date}.csv", "{date} stands there twice"),
    ("in/{date}/{span}", "expected one of {date}"),
    ("in/{YYYY}-{MM}", "expected one of {date}"),
    ("in/{version}/", "expected one of {date}"),
    ("in/{span}{version}", "nothing tells where the number before {version} ends"),
    ("in/{span:0}", "has no digit"),
    ("in/{}", "there is no placeholder {}"),
    ("in/{{ ds }}/{span}", "Leave one of them out"),
    ("s3://bucket/{date}/", "Copy or mount them here"),
  ],
)
def test_a_pattern_that_cannot_work_is_refused(path, message):
  with pytest.raises(BadInputError) as refused:
    pattern.parse(path if "://" in path else f"/{path}")
  assert message in str(refused.value)


def test_the_template_of_an_orchestrator_is_no_placeholder():
  assert pattern.parse("inbox/{{ ds }}/") is None


def test_a_pattern_that_finds_nothing_says_what_is_there(tmp_path):
  _fill(tmp_path, "monday/a.csv")
  with pytest.raises(BadInputError, match=r"Nothing fits .*There are 'monday' below"):
    pattern.Pattern(str(tmp_path / "{date}")).find()
  with pytest.raises(BadInputError, match=r"the folder '.*absent' cannot be read"):
    pattern.Pattern(str(tmp_path / "absent" / "{date}")).find()


def test_one_day_at_two_paths_is_refused(tmp_path):
  _fill(tmp_path, "2026-11-30/a.csv", "20261130/a.csv")
  with pytest.raises(BadInputError, match=r"are both span 2026-11-30 of"):
    pattern.Pattern(str(tmp_path / "{date}")).find()


def test_a_path_that_exists_is_no_pattern(tmp_path):
  (tmp_path / "{date}").mkdir()
  assert pattern.parse(str(tmp_path / "{date}")) is None
  assert pattern.parse(str(tmp_path)) is None
  assert pattern.parse(str(tmp_path / "{span}")) is not None


def test_an_origin_tells_whether_it_is_of_a_span():
  found = pattern.Pattern("/in/{date}/v{version}")
  assert found.holds("2026-11-30/v2/reviews.csv, row 7")
  assert not found.holds("reviews.csv, row 7")
  assert pattern.Pattern("/in/{date}.csv").holds("2026-11-30.csv, row 7")


@pytest.mark.parametrize(
  ("path", "names", "hollow", "unread"),
  [
    ("{date}/reviews.csv", ("2026-12-01/Reviews.CSV",), ["2026-12-01"], ["2026-12-01"]),
    ("{date}/v{version}", ("2026-12-01",), ["2026-12-01"], ["2026-12-01"]),
    ("{YYYY}/{MM}/{DD}", ("2027/readme",), [], ["2027", "2027/readme"]),
  ],
)
def test_a_folder_of_a_span_without_what_the_pattern_names_is_told(
  tmp_path, path, names, hollow, unread
):
  there = {"{YYYY}/{MM}/{DD}": "2026/11/30/a.csv", "{date}/v{version}": "2026-11-30/v1/a.csv"}
  _fill(tmp_path, there.get(path, "2026-11-30/reviews.csv"), *names)
  found = pattern.Pattern(str(tmp_path / path))
  spans, told, without = found.find()
  assert [span.name for span in spans] == ["2026-11-30"]
  assert [found.name(number) for number in without] == hollow
  assert sorted(told) == unread


def test_a_day_that_is_a_link_is_read_and_one_that_leads_nowhere_is_told(tmp_path):
  _fill(tmp_path, "real/a.csv", "in/2026-11-29/a.csv")
  for day, leads_to in (("30", "real"), ("28", "gone")):
    (tmp_path / "in" / f"2026-11-{day}").symlink_to(tmp_path / leads_to)
  found = pattern.Pattern(str(tmp_path / "in" / "{date}"))
  spans, unread, hollow = found.find()
  assert [span.name for span in spans] == ["2026-11-29", "2026-11-30"]
  assert (unread, [found.name(number) for number in hollow]) == (["2026-11-28"], ["2026-11-28"])


@pytest.mark.parametrize("name", ["2026-W49-1", "2026-11-31", "2026-1-1", "\u0662026-11-30"])
def test_what_is_no_day_in_any_python_is_none(name):
  with pytest.raises(ValueError, match="."):
    pattern.Pattern("/in/{date}").number(name)


def test_origins_are_of_the_span_whose_folder_or_file_they_name(tmp_path):
  _fill(tmp_path, "files/1", "files/10", "files/1.csv", "folders/1/a.csv", "folders/10/a.csv")
  for place, one in (("files", "1, row 3"), ("folders", "1/a.csv, row 3")):
    spans, *_ = pattern.Pattern(str(tmp_path / place / "{span}")).find()
    assert [span.name for span in spans if span.has(one)] == ["1"]
    assert [span.name for span in spans if span.has(f"1{one.replace('1', '10', 1)[1:]}")] == ["10"]
    assert not any(span.has("2, row 3") for span in spans)


def test_an_origin_names_its_span():
  def named(path, origin):
    return pattern.Pattern(path).span_of(origin)

  assert named("/in/{date}.csv", "20261130.csv, row 7") == "2026-11-30"
  assert named("/in/{YYYY}/{MM}/{DD}/", "2026/11/30/a/b.png") == "2026-11-30"
  assert named("/in/span-{span}/", "span-007/a.csv, row 2") == "7"
  assert named("/in/{date}/", "2026-13-30/a.csv, row 2") is None
  assert named("/in/{date}/v{version}", "2026-11-30") is None
