"""Bytes in flight: what is announced must have room, and takes none."""

from serving.rest.limits import BytesInFlight


def test_what_cannot_be_taken_in_to_the_end_is_refused_and_takes_nothing():
  room = BytesInFlight(100)
  assert room.take(10, to_come=90)
  assert not room.take(10, to_come=81)
  # Of what was refused, nothing counts; and what is only announced counts for nobody.
  assert room.take(90)
  assert not room.take(1)
  room.give(60)
  assert not room.take(61)
  assert room.take(60)


def test_without_a_limit_there_is_always_room():
  assert BytesInFlight(0).take(1 << 60, to_come=1 << 60)
