"""What a report shows of a reason: numbers of the artifact, maps as pictures, places in words."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from pipeline.rows.reasons import Reasons
from pipeline.runs.shown.reasons import ShownReasons

ACCOUNT = {"label": "cat", "explained": 2.5, "intercept": 0.5, "unexplained": 0.0}


@pytest.fixture
def shown(tmp_path):
  """Returns a function from the reasons of rows to what is shown of them."""

  def read(*reasons, **fields):
    Reasons(reasons=dict(enumerate(reasons)), **fields).write(tmp_path)
    return ShownReasons(tmp_path)

  return read


def test_words_for_and_against_have_the_parts_of_the_artifact(shown):
  parts = [*((f"w{n}", 2.0 - n / 8) for n in range(8)), ("bad", -0.5), ("a" * 30, -0.25)]
  found = shown({**ACCOUNT, "words": [*parts, ("hardly", 0.09)]}).of(0)
  assert (found["label"], found["explained"]) == ("cat", 2.5)
  assert [(each["word"], each["part"]) for each in found["speaks_for"]] == parts[:6]
  assert found["speaks_against"] == [
    {"word": "bad", "part": -0.5, "share": 0.25},
    {"word": "a" * 21 + "...", "part": -0.25, "share": 0.125},
  ]


def test_a_text_in_which_nothing_counts_names_nothing(shown):
  found = shown({**ACCOUNT, "words": [("a", 0.0)]}, {**ACCOUNT, "words": []})
  for number in (0, 1):
    assert (found.of(number)["speaks_for"], found.of(number)["speaks_against"]) == ([], [])


@pytest.mark.parametrize(
  ("place", "said"),
  [
    ((0, 0), "most at the top left"),
    ((1, 1), "most at the middle centre"),
    ((2, 0), "most at the bottom left"),
    ((1, 2), "most at the middle right"),
  ],
)
def test_a_map_is_drawn_and_said(shown, place, said):
  places = np.full((3, 3), -0.5)
  places[place] = 1.0
  found = shown({**ACCOUNT, "map": places.tolist()}).of(0)
  assert found["map_says"] == said
  data = base64.b64decode(found["map"].removeprefix("data:image/png;base64,"))
  pixels = np.asarray(Image.open(io.BytesIO(data)))
  assert pixels.shape == (3, 3, 4)
  red, _, blue, strength = pixels[place]
  assert red > blue
  others = np.delete(pixels.reshape(-1, 4), 3 * place[0] + place[1], axis=0)
  assert (others[:, 2] > others[:, 0]).all()
  assert others[:, 3] == pytest.approx(strength / 2, abs=1)


def test_a_map_against_everything_and_one_of_zeros(shown):
  found = shown({**ACCOUNT, "map": [[-1.0, -0.5]]}, {**ACCOUNT, "map": [[0.0, 0.0]]})
  assert {found.of(n)["map_says"] for n in (0, 1)} == {"nothing speaks for it"}


def test_an_alignment_names_the_words_that_are_attended_to(shown):
  reason = {
    "source_tokens": ["la", "casa", "verde"],
    "target_tokens": ["green", "well"],
    "alignment": [[0.05, 0.25, 0.7], [0.09, 0.09, 0.09]],
  }
  found = shown(reason)
  assert found.of(0)["aligned"] == [
    {
      "word": "green",
      "to": [
        {"word": "verde", "part": 0.7, "share": 0.7},
        {"word": "casa", "part": 0.25, "share": 0.25},
      ],
    },
    {"word": "well", "to": []},
  ]
  assert (found.about()["kind"], found.about()["of_number"]) == ("alignment", False)


def test_what_holds_for_all_is_said(shown):
  number = {"explained": 7.0, "intercept": 5.0, "unexplained": 0.0, "words": [["x", 2.0]]}
  about = shown(number, failed=2, failure="too long").about()
  assert about == {
    "kind": "words",
    "of_number": True,
    "explained": 1,
    "missing": "",
    "failed": 2,
    "failure": "too long",
  }
  assert shown(missing="no way").about()["missing"] == "no way"
  assert shown(number).of(1) is None


def test_predictions_of_an_earlier_release_say_so(tmp_path):
  found = ShownReasons(tmp_path)
  assert found.of(0) is None
  assert "before reports gave reasons" in found.about()["missing"]
