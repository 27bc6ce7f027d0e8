"""What `airflow.schedule` may be: presets, and cron whose every field can be."""

import pytest

from pipeline.orchestrators.airflow.schedules import fault


@pytest.mark.parametrize(
  "schedule",
  [
    *("@once", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly"),
    "*/15 3-5 * JAN,MAR 1#2",
    "0 0 1 1 0",
    "59 23 31 12 7",
    "0,30 */2 L * ?",
    "5/10 22-2 * * fri-mon",
  ],
)
def test_what_airflow_takes_passes(schedule):
  assert fault(schedule) is None


@pytest.mark.parametrize(
  ("schedule", "said"),
  [
    ("daily", "the five fields of cron"),
    ("@dayly", "It takes @once, @hourly"),
    ("* * * *", "the five fields of cron"),
    ("* * * * * *", "the five fields of cron"),
    ("", "the five fields of cron"),
    ("60 * * * *", "The minute of cron is 0 to 59, and '60' is none."),
    ("* 24 * * *", "The hour of cron is 0 to 23, and '24' is none."),
    ("* * 0 * *", "The day of the month of cron is 1 to 31, and '0' is none."),
    ("* * * 13 *", "The month of cron is 1 to 12, and '13' is none."),
    ("* * * foo *", "and 'foo' is none."),
    ("* * * * 8", "The day of the week of cron is 0 to 7, and '8' is none."),
    ("* * * * mon#6", "and 'mon#6' is none."),
    ("1-2-3 * * * *", "and '1-2-3' is none."),
    ("*/0 * * * *", "and '*/0' is none."),
    ("*/99 * * * *", "and '*/99' is none."),
    ("1,,2 * * * *", "and '' is none."),
    ("? * * * *", "and '?' is none."),
    ("\u0661 * * * *", "is none."),
  ],
)
def test_nonsense_is_said(schedule, said):
  assert said in fault(schedule)
