"""The picture of the rooms: what it draws, and that a stale one is noticed."""

import importlib.util
import pathlib

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def rooms():
  spec = importlib.util.spec_from_file_location("rooms", _ROOT / "scripts" / "rooms.py")
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def test_an_arrow_that_others_imply_is_left_out(rooms):
  picture = rooms.drawn(
    {
      "pipeline.cli": {"pipeline.runs", "dlpipe"},
      "pipeline.runs": {"dlpipe"},
      "dlpipe": set(),
    }
  )
  assert picture.split("\n") == [
    "```mermaid",
    "flowchart TD",
    "  subgraph pipeline",
    "    pipeline_cli[cli]",
    "    pipeline_runs[runs]",
    "  end",
    "  pipeline_cli --> pipeline_runs",
    "  pipeline_runs --> dlpipe",
    "```",
    "",
  ]


def test_a_circle_of_rooms_is_named(rooms):
  circle = {"pipeline.a": {"pipeline.b"}, "pipeline.b": {"data"}, "data": {"pipeline.a"}}
  with pytest.raises(ValueError, match=r"data -> pipeline\.a -> pipeline\.b -> data"):
    rooms.drawn(circle)


@pytest.mark.parametrize(
  ("module", "room"),
  [
    ("pipeline.runs.store.executions", "pipeline.runs"),
    ("pipeline.task", "pipeline.task"),
    ("components.serving_gate.loaders", "components"),
    ("dlpipe.errors", "dlpipe"),
  ],
)
def test_a_module_stands_in_a_room(rooms, module, room):
  assert rooms.room_of(module) == room


def test_only_what_stands_between_the_marks_is_written_anew(rooms):
  page = "before\n<!-- rooms: make rooms -->\nold\n<!-- end of rooms -->\nafter\n"
  assert rooms.with_picture(page, "new\n") == page.replace("old", "new")
  with pytest.raises(ValueError, match="The page lacks"):
    rooms.with_picture("no marks", "new\n")


def test_the_page_shows_the_rooms_there_are(rooms):
  page = (_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
  assert rooms.with_picture(page, rooms.drawn(rooms.arrows())) == page
