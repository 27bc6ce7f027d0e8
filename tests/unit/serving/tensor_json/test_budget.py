"""What reading a request may cost: who waits for whom, and whether the estimates hold."""

import contextlib
import subprocess
import sys
import threading
import time

import pytest

from serving.errors import DeadlineExceeded, ResourceExhausted, TooLarge
from serving.tensor_json import parse_classify, parse_predict
from serving.tensor_json.budget import FREE_BYTES, Budget, Pool

MIB = 1 << 20


def test_what_is_small_is_free():
  pool = Pool(MIB)
  with Budget(pool) as first, Budget(pool) as second:
    first.read(MIB)
    second.read(FREE_BYTES)


def test_more_than_there_ever_is():
  ends_at = time.monotonic() + 20  # for what would wait for it
  with (
    Budget(Pool(MIB), ends_at=ends_at) as budget,
    pytest.raises(TooLarge, match="more than 1048576 bytes"),
  ):
    budget.read(MIB + 1)
  with Budget(Pool()) as budget:
    budget.read(1 << 60)


def test_what_is_free_to_the_last_byte_is_had_at_once():
  """Nobody looks at the time for it, which is over."""
  pool = Pool(MIB)
  pool.take(MIB, ends_at=0.0)
  assert not pool.is_taken(1)
  pool.give(MIB)
  assert pool.is_taken(MIB)


@pytest.mark.parametrize("fails", [False, True])
def test_a_request_gives_all_back_however_it_ends(fails):
  pool = Pool(MIB)
  with contextlib.suppress(ZeroDivisionError), Budget(pool) as budget:
    budget.inflate(MIB // 2)
    budget.read(MIB // 2)
    if fails:
      raise ZeroDivisionError
  assert pool.is_taken(MIB)
  assert pool.inflating.acquire(blocking=False)


def test_who_needs_more_than_is_left_waits_for_the_others():
  pool, order = Pool(MIB), []

  def read():
    with Budget(pool) as budget:
      budget.read(MIB)
      order.append("second")

  with Budget(pool) as budget:
    budget.read(MIB // 2)
    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(0.05)
    budget.read(MIB)  # another way to read instead of the first: the second one may come between
    order.append("first")
    budget.keep(0)
    thread.join(300)
    assert sorted(order) == ["first", "second"]


def test_nobody_waits_beyond_its_time():
  pool = Pool(MIB)
  with Budget(pool) as first, Budget(pool, ends_at=time.monotonic() + 0.05) as second:
    first.read(MIB)
    with pytest.raises(DeadlineExceeded):
      second.read(MIB)
    first.keep(0)
    with pytest.raises(DeadlineExceeded):
      second.check()


def test_what_comes_on_top_is_there_or_not():
  pool = Pool(MIB)
  with Budget(pool) as first, Budget(pool) as second:
    first.read(MIB // 2)
    second.grow(MIB // 2)
    with pytest.raises(ResourceExhausted, match="Try again"):
      first.grow(FREE_BYTES)
    with pytest.raises(TooLarge):
      first.grow(MIB)


def test_of_those_that_inflate_one_is_read_at_a_time():
  pool = Pool(4 * MIB)
  with Budget(pool) as first, Budget(pool, ends_at=time.monotonic() + 0.05) as second:
    first.inflate(MIB)
    with pytest.raises(DeadlineExceeded):
      second.inflate(MIB)
    first.read(MIB)
    first.keep(MIB)
    with Budget(pool, ends_at=time.monotonic() + 20) as third:
      third.inflate(MIB)
      third.read(MIB)
      with pytest.raises(TooLarge):
        third.read(4 * MIB)


@pytest.mark.parametrize(
  "body",
  [
    b'{"instances":[' + b"[NaN]," * 40_000 + b"1]}",
    b'{"instances":[1,{"a":1,"a":2},' + b"[1]," * 40_000 + b"1]}",
    b'{"instances":["' + b"\\n" * 40_000 + b'"] x}',
    b'{"instances":' + b"[" * 40_000,
  ],
)
def test_reading_stops_when_its_time_is_over(body, monkeypatch):
  """In the middle: the clock runs on with every look at it."""
  seconds = iter(range(1000))
  monkeypatch.setattr("serving.tensor_json.budget.time.monotonic", lambda: next(seconds))
  looks = 6
  with pytest.raises(DeadlineExceeded):
    parse_predict(body, Budget(ends_at=looks))
  assert next(seconds) == looks + 2


def test_steps_have_an_end(monkeypatch):
  monkeypatch.setattr("serving.tensor_json.budget._MOST_STEPS", 5000)
  body = b'{"instances":[{"a":1,"a":2},' + b'"",' * 20_000 + b"1]}"
  with pytest.raises(TooLarge, match="one by one"):
    parse_predict(body, Budget(Pool(1 << 30)))
  assert parse_predict(body, Budget()).values


def test_a_context_is_counted_for_each_example():
  context = '"context":{"x":"' + "a" * 100_000 + '"}'
  body = f'{{{context},"examples":[{"{}," * 2000}{{}}]}}'.encode()
  with Budget(Pool(100 * MIB)) as budget, pytest.raises(TooLarge):
    parse_classify(body, "classify", budget)


_MEASURE = """
import sys
from serving.tensor_json import parse_predict
from serving.tensor_json.budget import Budget

asked = []
class Asking(Budget):
  def read(self, size):
    asked.append(size)

def status(name):
  for line in open("/proc/self/status"):
    if line.startswith(name):
      return int(line.split()[1]) * 1024

before, unit, after, count = eval(sys.argv[1])
body = before + unit * count + after
parse_predict(b'{"instances":["a",1]}', Asking())
asked.clear()
open("/proc/self/clear_refs", "w").write("5")
held = status("VmRSS")
parsed = parse_predict(body, Asking())
print(max(asked), status("VmHWM") - held)
"""


@pytest.mark.parametrize(
  ("unit", "last", "count"),
  [
    (b'"",', b'""', 300_000),
    (b"{},", b"{}", 300_000),
    (b"[],", b"[]", 300_000),
    (b'{"b64":"eA=="},', b'""', 100_000),
    (b"[1],", b'""', 300_000),
    (b"1,", b"1", 3_000_000),
    (b"0.123456,", b"1", 1_000_000),
    (b"NaN,", b"1", 300_000),
    (b"[1],", b"NaN", 300_000),
    (b'{"a":1,"a":2},', b"1", 100_000),
    (b"a" * 10, b'","b"', 2_000_000),
  ],
)
def test_estimates_are_upper_bounds(unit, last, count):
  """Measured as a process's memory, in one of its own."""
  before = b'{"instances":["' if unit.startswith(b"a") else b'{"instances":['
  given = repr((before, unit, last + b"]}", count))
  ran = subprocess.run(
    [sys.executable, "-c", _MEASURE, given], capture_output=True, text=True, check=True
  )
  asked, taken = map(int, ran.stdout.split())
  assert taken < asked + 8 * MIB
  assert asked < 6 * taken + 32 * MIB, "far more than it takes"
