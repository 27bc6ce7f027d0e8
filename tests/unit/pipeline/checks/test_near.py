"""Near-duplicates are found, others are not, and crowds cost no more than their number."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from pipeline.checks import near
from pipeline.checks.pictures import describe


def _pairs(found):
  return {tuple(sorted(pair)) for pair in found.tolist()}


def _sets(jaccards, size=60, seed=0):
  """Two sets of numbers for each index, that share that part of all they have."""
  random = np.random.default_rng(seed)
  for jaccard in jaccards:
    shared = round(2 * size * jaccard / (1 + jaccard))
    numbers = random.integers(0, 2**32, 2 * size - shared, np.uint32)
    yield numbers[:size]
    yield numbers[size - shared :]


def test_signatures_estimate_the_jaccard_index():
  for jaccard in (0.2, 0.5, 0.8):
    found = near.signatures(list(_sets([jaccard] * 200)))
    agreement = (found[::2] == found[1::2]).mean()
    assert agreement == pytest.approx(jaccard, abs=0.02)


def test_signatures_do_not_depend_on_order_repetition_or_neighbours():
  parts = np.arange(1, 101, dtype=np.uint32) * 7919
  other = np.arange(5, dtype=np.uint32)
  found = near.signatures([parts, other, parts[::-1], np.tile(parts, 2)])
  assert (found[0] == found[2]).all()
  assert (found[0] == found[3]).all()
  assert not (found[0] == found[1]).any()


def test_texts_alike_are_found_and_others_are_not():
  alike, unlike = list(_sets([0.95] * 100)), list(_sets([0.5] * 100, seed=1))
  found = _pairs(near.similar_texts(near.signatures([*alike, *unlike])))
  assert found == {(2 * i, 2 * i + 1) for i in range(100)}


@pytest.fixture(scope="module")
def photos():
  """120 different pictures with shapes and shades, 120 x 90 pixels."""
  random = np.random.default_rng(3)
  coarse = random.integers(0, 256, (120, 6, 8), np.uint8)
  return [Image.fromarray(each).resize((120, 90), Image.Resampling.BICUBIC) for each in coarse]


def _thumbnails(pictures, kind="PNG", **save):
  described = []
  for picture in pictures:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **save)
    described.append(describe(buffer.getvalue()).thumbnail)
  return np.frombuffer(b"".join(described), np.uint8).reshape(len(described), -1)


def test_copies_that_were_scaled_and_compressed_are_found(photos):
  small = [photo.resize((80, 60)) for photo in photos]
  copies = _thumbnails(small, "JPEG", quality=60)
  found = _pairs(near.similar_pictures(np.concatenate([_thumbnails(photos), copies])))
  wanted = {(i, i + len(photos)) for i in range(len(photos))}
  assert found <= wanted
  assert len(found) >= 0.95 * len(photos)


def test_flat_pictures_are_not_taken_for_each_other():
  flat = [Image.new("L", (20, 20), shade) for shade in (0, 100, 100, 255)]
  assert _pairs(near.similar_pictures(_thumbnails(flat))) == set()


def _thumbnail(values):
  return np.clip(values, 0, 255).astype(np.uint8)


def test_a_shade_that_nobody_sees_is_no_likeness():
  """The same slope in two pictures; of 2.6 grey levels its hash says nothing, of 5.2 it does."""
  slope = np.tile(np.arange(9), 8)
  faint = np.stack([_thumbnail(100 + slope), _thumbnail(200 + slope)])
  assert _pairs(near.similar_pictures(faint)) == set()
  plain = np.stack([_thumbnail(100 + 2 * slope), _thumbnail(200 + 2 * slope)])
  assert _pairs(near.similar_pictures(plain)) == {(0, 1)}


def test_the_same_hash_is_not_yet_the_same_picture():
  """Squared, every neighbour is still the brighter or the darker one."""
  values = np.random.default_rng(4).integers(0, 256, 72)
  squared = values**2 / 255
  assert 0.95 < np.corrcoef(values, squared)[0, 1] < 0.98
  assert _pairs(near.similar_pictures(np.stack([_thumbnail(values), _thumbnail(squared)]))) == set()
  assert _pairs(near.similar_pictures(np.stack([_thumbnail(values)] * 2))) == {(0, 1)}


@pytest.mark.parametrize("row", range(8))
def test_two_bits_may_differ_wherever_they_stand(row):
  values = np.tile(20 * np.arange(9), (8, 1))
  changed = values.copy()
  changed[row, [2, 6]] = changed[row, [1, 5]] - 1  # darker than the neighbour, and no other
  # Pictures of one shade before them do not count.
  flat = np.full((2, 72), 90)
  thumbnails = _thumbnail(np.concatenate([flat, values.reshape(1, -1), changed.reshape(1, -1)]))
  assert _pairs(near.similar_pictures(thumbnails)) == {(2, 3)}
  changed[row, 4] = changed[row, 3] - 1
  assert (
    _pairs(near.similar_pictures(_thumbnail(np.stack([values, changed]).reshape(2, -1)))) == set()
  )


@pytest.mark.parametrize("chunk", [4, 1000])
def test_each_of_a_crowd_is_compared_with_the_next_eight(chunk, monkeypatch):
  monkeypatch.setattr(near, "_CHUNK_PAIRS", chunk)
  found = _pairs(near.similar_texts(np.zeros((12, 64), np.uint16)))
  assert found == {(i, j) for i in range(12) for j in range(i + 1, min(i + 9, 12))}


def test_nothing_has_no_duplicates():
  assert near.similar_pictures(np.empty((0, 72), np.uint8)).shape == (0, 2)
  assert near.similar_texts(np.empty((0, 64), np.uint16)).shape == (0, 2)


def test_a_crowd_is_joined_in_linear_time():
  started = time.process_time()
  found = near.similar_texts(np.zeros((20_000, 64), np.uint16))
  assert time.process_time() - started < 10
  assert len(np.unique(near.groups(20_000, found))) == 1


def test_groups_join_what_pairs_connect():
  found = near.groups(6, np.array([[0, 2], [2, 5], [3, 4]]))
  assert found[0] == found[2] == found[5]
  assert found[3] == found[4]
  assert len(np.unique(found)) == 3
