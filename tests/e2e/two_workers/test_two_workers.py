"""Two processes that train together: the curve of one, and on after one of them is killed."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_SCRIPT = pathlib.Path(__file__).with_name("one_worker.py")
_ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture
def together(free_ports, tmp_path):
  """Starts one worker, or two that know each other; kills what is left of them."""
  with contextlib.ExitStack() as stack:

    def start(folder, count):
      cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(count)]}
      started = []
      for index in range(count):
        config = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        log = stack.enter_context((tmp_path / f"{folder.name}-{time.time()}-{index}").open("w+"))
        process = subprocess.Popen(
          [sys.executable, _SCRIPT, folder],
          env={
            **os.environ,
            "TF_CONFIG": json.dumps(config),
            "PYTHONPATH": str(_ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "3",
          },
          stdout=subprocess.PIPE,
          stderr=log,
          text=True,
        )
        stack.enter_context(process)
        stack.callback(process.kill)
        started.append((process, pathlib.Path(log.name)))
      return started

    yield start


def _results(started):
  """What each worker wrote, once all have ended well."""
  results = []
  for process, log in started:
    stdout, _ = process.communicate(timeout=300)
    assert process.returncode == 0, log.read_text()[-3000:]
    results.append(json.loads(stdout))
  return results


def _column(result, name):
  return [row[name] for row in result["history"]]


def test_two_workers_learn_what_one_does_though_one_is_killed(together, tmp_path):
  (chief, log), (worker, _) = together(tmp_path / "two", 2)
  deadline = time.monotonic() + 300
  while "epoch 3/" not in log.read_text():
    assert time.monotonic() < deadline, log.read_text()[-3000:]
    time.sleep(0.02)
  worker.send_signal(signal.SIGKILL)
  assert chief.wait(timeout=300) != 0
  first, second = _results(together(tmp_path / "two", 2))
  [alone] = _results(together(tmp_path / "one", 1))
  assert _column(first, "epoch") == list(range(1, 13))
  for name in ("loss", "val_loss"):
    assert _column(first, name) == pytest.approx(_column(alone, name), abs=0.01)
    assert _column(first, name) == _column(second, name)
    assert _column(first, name)[-1] < 0.7 * _column(first, name)[0]
  for mine, other in zip(first["weights"], second["weights"], strict=True):
    np.testing.assert_array_equal(mine, other)
