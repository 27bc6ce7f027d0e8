"""`--since` and `--until` are read alike by every command, in every Python."""

import datetime

import pytest

from dlpipe.errors import BadInputError
from pipeline.api.operations import periods

_EIGHT = datetime.datetime(2026, 1, 31, 8, tzinfo=datetime.timezone.utc).timestamp()


@pytest.mark.parametrize(
  ("given", "seconds"), [("30m", 1800), ("24h", 86_400), ("7d", 604_800), ("2w", 1_209_600)]
)
def test_an_age_counts_from_the_end(given, seconds):
  assert periods.since(given, end=_EIGHT) == _EIGHT - seconds


@pytest.mark.parametrize("given", ["1000000w", "9" * 400 + "d", "1900-01-01", "0001-01-01"])
def test_what_began_long_ago_takes_everything(given):
  assert periods.since(given, end=_EIGHT) == 0.0


def test_a_moment_is_in_utc_unless_it_says_otherwise():
  for given in ("2026-01-31T08:00", "2026-01-31T08:00Z", "2026-01-31T10:00+02:00"):
    assert periods.moment("--until", given) == _EIGHT
  assert periods.since("2026-01-31", end=_EIGHT) == _EIGHT - 8 * 3600


@pytest.mark.parametrize("given", ["soon", "24H", "-1d", "1.5h", "", "9999-12-31T23:00-05:00"])
def test_what_is_neither_is_refused(given):
  with pytest.raises(BadInputError, match="--since takes a moment such as .* or an age such as"):
    periods.since(given, end=_EIGHT)


@pytest.mark.parametrize("given", ["0h", "2026-01-31T08:00"])
def test_a_period_has_a_length(given):
  with pytest.raises(BadInputError, match="--since must lie before"):
    periods.since(given, end=_EIGHT)
