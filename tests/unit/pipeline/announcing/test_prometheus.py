"""The textfile of a run keeps to Prometheus' text format, with every number of the run."""

import math
import re
import time

import pytest

from components.versioned_pusher.publish import publish
from dlpipe.verdicts import Ruling
from pipeline.announcing import prometheus
from pipeline.announcing.notices import NotToldError

_LINE = re.compile(r'([a-z_]+)\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+)\} (\S+)')
_LABEL = re.compile(r'([a-z]+)="((?:[^"\\\n]|\\["\\n])*)"')


def _samples(path):
  """Name and labels to value; each series once, the samples of a metric behind its type."""
  found, typed = {}, None
  for line in path.read_text().removesuffix("\n").split("\n"):
    if line.startswith("# TYPE "):
      typed = line.split()[2]
      assert not any(name == typed for name, *_ in found)
    if line.startswith("#"):
      continue
    name, labels, value = _LINE.fullmatch(line).groups()
    assert name == typed
    pairs = (
      (key, re.sub(r"\\(.)", lambda at: {"n": "\n"}.get(at[1], at[1]), text))
      for key, text in _LABEL.findall(labels)
    )
    key = (name, *sorted(pairs))
    assert key not in found
    found[key] = float(value)
  return found


def test_every_number_of_the_run_is_there(record, tmp_path):
  (tmp_path / "m").mkdir()
  (tmp_path / "m" / "saved_model.pb").write_text("m")
  publish(tmp_path / "m", tmp_path / "images" / "serving")
  odd = Ruling(metric='a "b"\\', bound="<= 1\n", value=2.0, passed=False)
  gates = [*record().result.gates, odd, odd]
  before = time.time()
  prometheus.write(record(gates=gates, metrics={"loss": math.inf}).result, str(tmp_path))
  [path] = tmp_path.glob("*.prom")
  assert path.name == "dlpipe_images.prom"
  found = _samples(path)
  task = ("task", "images")
  assert found["dlpipe_run_state", ("state", "pushed"), task] == 1
  assert found["dlpipe_run_state", ("state", "failed"), task] == 0
  assert found["dlpipe_run_exit_code", task] == 0
  assert found["dlpipe_run_metric", ("metric", "loss"), task] == math.inf
  assert found["dlpipe_run_gate_passed", ("bound", ">= 0.3"), ("metric", "skill"), task] == 1
  assert found["dlpipe_run_gate_passed", ("bound", "<= 1\n"), ("metric", 'a "b"\\'), task] == 0
  assert found["dlpipe_run_examples", ("split", "quarantined"), task] == 2
  assert found["dlpipe_run_node_peak_rss_bytes", ("node", "Trainer"), task] == 512e6
  assert found["dlpipe_run_node_seconds", ("node", "Trainer"), task] == 3.5
  assert found["dlpipe_served_version", task] == 1
  assert found["dlpipe_run_timestamp_seconds", task] >= before
  assert path.stat().st_mode & 0o777 == 0o644


def test_the_last_success_outlives_a_failure(record, tmp_path):
  key = ("dlpipe_last_success_timestamp_seconds", ("task", "images"))
  path = tmp_path / "dlpipe_images.prom"
  prometheus.write(record(state="failed", error="no").result, str(tmp_path))
  assert key not in _samples(path)
  prometheus.write(record().result, str(tmp_path))
  success = _samples(path)[key]
  prometheus.write(record(state="refused_model").result, str(tmp_path))
  found = _samples(path)
  assert found[key] == success
  assert found["dlpipe_run_timestamp_seconds", ("task", "images")] >= success
  assert found["dlpipe_run_exit_code", ("task", "images")] == 4


def test_a_folder_that_is_gone_is_said(record, tmp_path):
  with pytest.raises(NotToldError, match=r"dlpipe_images\.prom cannot be written: No such file"):
    prometheus.write(record().result, str(tmp_path / "gone"))
