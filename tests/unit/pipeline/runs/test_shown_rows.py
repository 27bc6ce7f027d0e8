"""What training left to look at, as the report's fields."""

import base64
import json

import pytest

from pipeline.problem import MISTAKES_FILE, SAMPLES_FILE
from pipeline.runs.shown_rows import shown_rows


@pytest.fixture
def model_run(tmp_path):
  """Returns a function that writes mistakes with these inputs."""

  def write(*inputs):
    rows = [
      {
        "label": "a",
        "predicted": "b",
        "score": 0.9,
        "input": None if value is None else base64.b64encode(value).decode(),
      }
      for value in inputs
    ]
    (tmp_path / MISTAKES_FILE).write_text(json.dumps(rows), "utf-8")
    return tmp_path

  return write


def test_pictures_that_browsers_show_become_data_uris(model_run, make_picture):
  png = make_picture("PNG")
  shown = shown_rows(model_run(png, b"no picture", None), input_kind="file")
  assert shown["pictures"] == [
    {
      "label": "a",
      "predicted": "b",
      "score": 0.9,
      "data_uri": f"data:image/png;base64,{base64.b64encode(png).decode()}",
    }
  ]
  assert shown["texts"] == []


def test_texts_are_decoded_and_never_taken_for_pictures(model_run):
  shown = shown_rows(model_run("BM né".encode(), b"\xff\xd8", None), input_kind="text")
  assert [row["input"] for row in shown["texts"]] == ["BM né", "\ufffd\ufffd"]
  assert shown["pictures"] == []


def test_samples_are_passed_on(tmp_path):
  rows = [{"input": "a", "label": "b", "predicted": "c", "score": 1.0, "worst": True}]
  (tmp_path / SAMPLES_FILE).write_text(json.dumps(rows), "utf-8")
  assert shown_rows(tmp_path, input_kind="text")["samples"] == rows


@pytest.mark.parametrize("kind", ["text", "file"])
def test_where_nothing_was_left_nothing_is_shown(tmp_path, kind):
  nothing = {"pictures": [], "texts": [], "samples": []}
  assert shown_rows(None, input_kind=kind) == nothing
  assert shown_rows(tmp_path, input_kind=kind) == nothing
