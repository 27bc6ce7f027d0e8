"""The first week of `benchmarks/year.py`: what goes wrong in it is named, and nothing else is.

The month takes too long to be a test; [docs/a-year.md](../../docs/a-year.md) has what it showed.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.e2e

_REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
_DAYS = 7
_EVENTS = {
  "an empty day",
  "a day of a tenth of its usual size",
  "kill -9 of a server",
  "requests with other words",
}


@pytest.fixture(scope="module")
def week(tmp_path_factory):
  """What the benchmark wrote of the first week of its calendar."""
  written = tmp_path_factory.mktemp("year") / "year.json"
  command = [sys.executable, "benchmarks/year.py", "--days", str(_DAYS), "--output", str(written)]
  done = subprocess.run(command, cwd=_REPOSITORY, capture_output=True, text=True, check=False)
  assert done.returncode == 0, done.stderr[-3000:]
  return json.loads(written.read_text("utf-8"))


@pytest.mark.timeout(3600)
def test_each_event_is_named_on_its_day(week):
  assert {each["event"] for each in week["events"]} == _EVENTS
  silent = [each for each in week["events"] if not each["found_and_named"]]
  assert not silent, silent


@pytest.mark.timeout(3600)
def test_nothing_wrong_is_live_and_no_request_fails(week):
  assert [day["number"] for day in week["days"]] == list(range(1, _DAYS + 1))
  assert all(day["live"] and day["right"] >= 0.9 for day in week["days"]), week["days"]
  assert week["failures"] == []
  assert sum(day["asked"] for day in week["days"]) > 50 * _DAYS


@pytest.mark.timeout(3600)
def test_a_quiet_day_is_quiet(week):
  loud = {each["day"] for each in week["events"]}
  quiet = {day["number"]: day["alarms"] for day in week["days"] if day["number"] not in loud}
  assert quiet == {1: [], 2: [], 3: [], 4: []}
