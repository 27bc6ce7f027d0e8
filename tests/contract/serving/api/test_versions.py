"""Versions come and go under a running server."""

import logging
import os
import shutil
import threading
import time

import grpc
import numpy as np
import pytest

_LOG = logging.getLogger(__name__)
FAST = "--file_system_poll_wait_seconds=1"


@pytest.fixture
def base(tmp_path):
  path = tmp_path / "model"
  path.mkdir()
  return path


def _publish(models, base, number, source="half_plus/1"):
  """Copies under a name that is no version and renames."""
  shutil.copytree(models / source, base / f".draft-{number}")
  (base / f".draft-{number}").rename(base / str(number))


def _answer(server, **spec):
  return list(server.predict("m", {"x": [2.0]}, **spec).outputs["y"].float_val)


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_serving(start, models, base):
  _publish(models, base, "00003")
  for name in ("v9", "9.5", "9x", "tmp-9"):
    (base / name).mkdir()
  server = start("--model_name=m", f"--model_base_path={base}", FAST)
  assert server.states("m") == {3: "AVAILABLE"}

  (base / ".draft").mkdir()
  (base / ".draft" / "saved_model.pb").write_bytes(b"garbage")
  (base / ".draft").rename(base / "4")
  server.wait_for("m", v4="END")
  _, answer = server.get("/v1/models/m/versions/4")
  (status,) = answer["model_version_status"]
  assert status["status"]["error_code"] == "DATA_LOSS"
  assert "saved_model.pb" in status["status"]["error_message"]
  assert _answer(server) == [3.0]

  _publish(models, base, 10, "half_plus/2")
  server.wait_for("m", v3="END", v10="AVAILABLE")
  assert server.states("m") == {10: "AVAILABLE", 4: "END", 3: "END"}
  assert _answer(server) == [4.0]

  shutil.rmtree(base / "10")  # the next one is the damaged one: nothing changes
  time.sleep(1.5)
  assert _answer(server) == [4.0]
  shutil.rmtree(base / "4")
  server.wait_for("m", v3="AVAILABLE", v10="END")
  assert _answer(server) == [3.0]
  shutil.rmtree(base / "00003")
  server.wait_for("m", v3="END")
  status, answer = server.post("/v1/models/m:predict", {"instances": [1.0]})
  assert (status, answer) == (404, {"error": "Servable not found for request: Latest(m)"})


def test_a_process_waits_for_its_first_version_and_answers_before_it_stops(
  start_process, models, base
):
  process = start_process("--model_name=slow", f"--model_base_path={base}")
  deadline = time.monotonic() + 120
  while "Did you forget to name your leaf directory" not in process.output():
    assert time.monotonic() < deadline
    time.sleep(0.05)
  assert "Running gRPC" not in process.output()
  _publish(models, base, 1, "slow/1")
  process.wait()
  process.predict("slow", {"rounds": np.int32([1])})
  answers = []

  def ask(use_rest):
    if use_rest:
      answers.append(process.post("/v1/models/slow:predict", {"inputs": [100_000]})[1]["outputs"])
    else:
      found = process.predict("slow", {"rounds": np.int32([100_000])})
      answers.append(found.outputs["done"].int_val[0])

  threads = [threading.Thread(target=ask, args=(use_rest,)) for use_rest in (True, False)]
  for thread in threads:
    thread.start()
  time.sleep(0.3)
  process.process.terminate()
  for thread in threads:
    thread.join()
  assert process.process.wait(120) == 0
  assert answers == [100_000, 100_000]


def test_versions_swapped_under_load_fail_no_request(start, models, base):
  """`DLPIPE_SWAPS` is how many; a damaged version comes in the midst of them."""
  swaps = int(os.environ.get("DLPIPE_SWAPS", "5"))
  _publish(models, base, 1)
  server = start("--model_name=m", f"--model_base_path={base}", FAST)
  stopping, failures, answered = threading.Event(), [], []

  def ask(use_rest):
    while not stopping.is_set():
      try:
        if use_rest:
          status, answer = server.post("/v1/models/m:predict", {"instances": [2.0]})
          assert status == 200, answer
          value = answer["predictions"][0]
        else:
          value = server.predict("m", {"x": [2.0]}).outputs["y"].float_val[0]
        assert value in (3.0, 4.0)
        answered.append(value)
      except (AssertionError, OSError, grpc.RpcError) as err:
        failures.append(err)

  threads = [threading.Thread(target=ask, args=(number % 2 == 0,)) for number in range(16)]
  for thread in threads:
    thread.start()
  for version in range(2, 2 + swaps):
    if version == 2 + swaps // 2:
      (base / ".draft").mkdir()
      (base / ".draft" / "saved_model.pb").write_bytes(b"garbage")
      (base / ".draft").rename(base / "1000000")
      server.wait_for("m", v1000000="END", **{f"v{version - 1}": "AVAILABLE"})
      shutil.rmtree(base / "1000000")
    _publish(models, base, version, f"half_plus/{1 + version % 2}")
    server.wait_for("m", **{f"v{version}": "AVAILABLE", f"v{version - 1}": "END"})
    shutil.rmtree(base / str(version - 1))
  stopping.set()
  for thread in threads:
    thread.join()
  _LOG.info("%d requests, %d failed, %d swaps", len(answered), len(failures), swaps)
  assert failures == []
  assert {3.0, 4.0} == set(answered)
  assert _answer(server) == [3.0 + (1 + swaps) % 2]
