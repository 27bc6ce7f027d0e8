"""What DataGate tells from counts alone."""

import pytest

from pipeline.checks import gate_findings
from pipeline.sources.tables.delimited_records import CUT_OFF


@pytest.mark.parametrize("function", [gate_findings.findings, gate_findings.of_several_labels])
def test_tables_that_are_cut_off_are_counted_apart_from_stray_quotes(function):
  stray = "the quote before field 1 is never closed"
  reasons = {stray: 3, f"{CUT_OFF}, in the quotes of field 1": 1, f"{CUT_OFF}, in another": 1}
  found = {each["name"]: each for each in function({"reasons": reasons}, ())}
  assert found["cut_off"]["level"] == "warning"
  assert found["cut_off"]["what"] == "2 files may be cut off: the last row is not whole."
  assert "cut_off" not in {each["name"] for each in function({"reasons": {stray: 3}}, ())}
