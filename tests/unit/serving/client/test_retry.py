"""When a call is tried again, and how long that takes."""

import pytest

from dlpipe_client import BadRequest, DeadlineExceeded, NotFound, Retry, Unavailable
from dlpipe_client.retry import Deadline


class Clock:
  def __init__(self):
    self.now, self.slept = 0.0, []

  def __call__(self):
    return self.now

  def sleep(self, seconds):
    self.slept.append(seconds)
    self.now += seconds


def failing(*errors):
  """Raises one error after another, then returns the seconds that are left."""
  left = list(errors)

  def call(left_s):
    if left:
      raise left.pop(0)
    return left_s

  return call


def test_waits_grow_to_a_bound():
  clock = Clock()
  retry = Retry(attempts=6, first_delay_s=1, max_delay_s=5, sleep=clock.sleep, jitter=lambda: 1.0)
  left_s = retry.call(failing(*[Unavailable("no")] * 5), Deadline(100, clock))
  assert clock.slept == [1, 2, 4, 5, 5]
  assert left_s == 100 - 17


def test_waits_are_a_random_part():
  clock = Clock()
  retry = Retry(first_delay_s=1, sleep=clock.sleep, jitter=iter([0.5, 0.25]).__next__)
  retry.call(failing(Unavailable("no"), Unavailable("no")), Deadline(100, clock))
  assert clock.slept == [0.5, 0.5]


def test_the_last_failure_is_raised():
  clock = Clock()
  with pytest.raises(Unavailable, match="^third$"):
    Retry(attempts=3, sleep=clock.sleep).call(
      failing(Unavailable("first"), Unavailable("second"), Unavailable("third")),
      Deadline(9, clock),
    )
  assert len(clock.slept) == 2


def test_no_wait_beyond_the_deadline():
  clock = Clock()
  retry = Retry(first_delay_s=10, sleep=clock.sleep, jitter=lambda: 0.9)
  with pytest.raises(Unavailable, match="^busy$"):
    retry.call(failing(Unavailable("busy")), Deadline(1, clock))
  assert clock.slept == []


def test_the_deadline_bounds_all_tries():
  clock = Clock()

  def slow(left_s):
    clock.now += 3
    raise Unavailable("busy")

  with pytest.raises(DeadlineExceeded, match="No answer within 5 s") as late:
    Retry(first_delay_s=0, sleep=clock.sleep).call(slow, Deadline(5, clock))
  assert isinstance(late.value.__cause__, Unavailable)


def test_not_found_is_tried_once_more():
  clock = Clock()
  retry = Retry(sleep=clock.sleep)
  assert retry.call(failing(NotFound("no")), Deadline(9, clock)) > 0
  with pytest.raises(NotFound, match="^second$"):
    retry.call(
      failing(NotFound("first"), Unavailable("no"), NotFound("second")), Deadline(9, clock)
    )
  with pytest.raises(NotFound, match="^first$"):
    retry.call(failing(NotFound("first")), Deadline(9, clock), retry_not_found=False)


def test_what_is_the_callers_fault_is_not_tried_again():
  clock = Clock()
  with pytest.raises(BadRequest):
    Retry(sleep=clock.sleep).call(failing(BadRequest("no")), Deadline(9, clock))
  assert clock.slept == []


def test_attempts_must_be_positive():
  with pytest.raises(ValueError, match="attempts=0"):
    Retry(attempts=0)
