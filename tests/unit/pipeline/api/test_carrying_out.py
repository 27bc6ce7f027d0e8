"""Runs that the command line and callers in Python have carried out."""

from pipeline.api.carrying_out import new_run_id


def test_run_ids_sort_by_time_and_differ():
  first, second = new_run_id(), new_run_id()
  assert first != second
  assert first.rpartition("-")[0] <= second.rpartition("-")[0]
  assert len(first) == len("20260101-120000-abcd")
