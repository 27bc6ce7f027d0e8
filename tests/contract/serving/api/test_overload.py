"""More requests than `--max_concurrent_requests`: the rest is told so, the others get on."""

import statistics
import threading
import time

import grpc
import numpy as np
import pytest

LIMIT = 2
ROUNDS = 40_000  # some tens of milliseconds


@pytest.fixture(scope="module")
def limited(start, models):
  return start(
    "--model_name=slow",
    f"--model_base_path={models / 'slow'}",
    f"--max_concurrent_requests={LIMIT}",
  )


def _rest(server):
  status, answer = server.post("/v1/models/slow:predict", {"inputs": [ROUNDS]})
  assert status in (200, 429), answer
  return status == 200


def _grpc(server):
  try:
    answer = server.predict("slow", {"rounds": np.int32([ROUNDS])})
  except grpc.RpcError as err:
    if err.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
      raise
    return False
  assert answer.outputs["done"].int_val == [ROUNDS]
  return True


def _flood(server, ask, clients, seconds):
  """Seconds of each accepted and of each refused request."""
  accepted, refused, errors = [], [], []
  ends_at = time.monotonic() + seconds

  def client():
    try:
      while time.monotonic() < ends_at:
        started = time.monotonic()
        is_accepted = ask(server)
        (accepted if is_accepted else refused).append(time.monotonic() - started)
        if not is_accepted:
          time.sleep(0.02)
    except Exception as err:
      errors.append(err)

  threads = [threading.Thread(target=client) for _ in range(clients)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert errors == []
  return accepted, refused


@pytest.mark.parametrize("ask", [_rest, _grpc])
def test_ten_times_as_many_as_there_is_room_for(limited, ask):
  ask(limited)
  usual, _ = _flood(limited, ask, LIMIT, 1.5)
  accepted, refused = _flood(limited, ask, 10 * LIMIT, 2.5)
  assert len(refused) > len(accepted) > len(usual) / 3
  assert statistics.median(refused) < statistics.median(accepted)
  assert statistics.median(accepted) < 3 * statistics.median(usual) + 0.05
