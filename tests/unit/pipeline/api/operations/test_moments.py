import pytest

from dlpipe.errors import BadInputError
from pipeline.api.operations import moments

_END = 1_769_846_400.0  # 2026-01-31T08:00Z


@pytest.mark.parametrize(
  ("given", "seconds"),
  [("30m", 1_800), ("24h", 86_400), ("7d", 604_800), ("2w", 1_209_600), ("999999w", _END)],
)
def test_an_age_counts_back_from_the_end(given, seconds):
  assert moments.since(given, end=_END) == _END - seconds


@pytest.mark.parametrize(
  "given", ["2026-01-31T08:00", "2026-01-31T08:00Z", "2026-01-31T10:00+02:00", "2026-01-31 08:00"]
)
def test_a_moment_is_in_utc_unless_it_says_otherwise(given):
  assert moments.until(given) == _END
  assert moments.since(given, end=_END + 1) == _END
  assert moments.since("2026-01-31", end=_END) == _END - 8 * 3_600


@pytest.mark.parametrize(
  "given", ["soon", "", "24", "h", "-1h", "1.5h", "٣h", "9999999999d", "2026-02-30", "24h "]
)
def test_what_is_neither_is_refused(given):
  with pytest.raises(BadInputError, match="--since takes an age in minutes, hours"):
    moments.since(given, end=_END)
  with pytest.raises(BadInputError, match="--until takes a date in UTC"):
    moments.until(given)


@pytest.mark.parametrize("given", ["0h", "2026-01-31T08:00", "2999-01-01"])
def test_a_window_has_a_length(given):
  with pytest.raises(BadInputError, match="--since must lie before the end of the window"):
    moments.since(given, end=_END)
