"""What is called odd, and what is not because most inputs are so."""

import numpy as np

from pipeline.checks.looks.odd import SHOWN, odd_inputs

_COUNT = 50


def _odd(lengths=None, scripts=None, **looks):
  rows = np.arange(10, 10 + _COUNT)
  usual = {"brightness": 120.0, "contrast": 200.0, "sharpness": 1.0}
  shown = {}
  if looks:
    shown = {name: np.full(_COUNT, value, np.float32) for name, value in usual.items()}
    for name, changed in looks.items():
      shown.setdefault(name, np.full(_COUNT, 0.5, np.float32))
      for place, value in changed.items():
        shown[name][place] = value
  found = odd_inputs(rows, lengths or {}, shown, np.array(scripts or [""] * _COUNT, str))
  return {each.name: each for each in found}


def test_dark_bright_flat_and_blurred_pictures_the_oddest_first():
  found = _odd(
    brightness={1: 20.0, 2: 10.0, 3: 250.0}, contrast={4: 3.0}, sharpness={5: 0.2, 6: 0.36}
  )
  assert {name: each.rows.tolist() for name, each in found.items()} == {
    "dark": [12, 11], "bright": [13], "flat": [14], "blurred": [15],
  }  # fmt: skip
  assert found["dark"].values == ["brightness 10", "brightness 20"]
  assert found["blurred"].values == ["sharpness 0.20"]


def test_what_most_pictures_are_is_not_odd():
  dark = dict.fromkeys(range(_COUNT), 15.0)
  soft = dict.fromkeys(range(_COUNT), 0.2)
  assert _odd(brightness=dark, sharpness=soft) == {}


def test_tiny_pictures_and_odd_shapes():
  width, height = np.full(_COUNT, 200.0), np.full(_COUNT, 150.0)
  width[3], height[3] = 40.0, 30.0
  width[7] = 900.0
  found = _odd({"width": width, "height": height})
  assert {name: each.rows.tolist() for name, each in found.items()} == {"tiny": [13], "shape": [17]}
  assert found["shape"].values == ["900 x 150"]


def test_the_longest_and_the_shortest_texts():
  characters = np.arange(_COUNT, dtype=np.float32) + 3
  found = _odd({"characters": characters, "words": characters})
  assert found["longest"].rows.tolist() == list(range(59, 59 - SHOWN, -1))
  assert found["shortest"].rows.tolist() == list(range(10, 10 + SHOWN))
  assert found["longest"].values[0] == "52 characters"
  assert _odd({"characters": np.full(_COUNT, 3.0)}) == {}


def test_another_script_is_odd_where_nearly_all_have_one():
  scripts = ["LATIN"] * _COUNT
  scripts[4], scripts[9] = "CYRILLIC", ""
  found = _odd(scripts=scripts)["script"]
  assert (found.rows.tolist(), found.values) == ([14], ["Cyrillic"])
  assert _odd(scripts=["LATIN", "CYRILLIC"] * (_COUNT // 2)) == {}


def test_texts_with_hardly_a_usual_word():
  found = _odd(familiar={2: 0.05, 3: 0.2, 4: -1.0})["strange"]
  assert (found.rows.tolist(), found.values) == ([12], ["5%"])


def test_nothing_is_odd_about_nothing():
  assert odd_inputs(np.empty(0, int), {}, {}, np.empty(0, str)) == []
