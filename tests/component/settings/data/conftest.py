"""An empty folder, and what writes a small input of each layout into it."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dlpipe.records import Record, Rejected
from pipeline.api.inputs import Inputs

_CLASSES = ("bad", "good")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Desk:
  """What a check has: an empty folder, pictures, and the fixtures of `conftest`."""

  task: str
  folder: pathlib.Path
  picture: Callable[..., bytes]
  run: Callable[..., Inputs]
  drawn: Callable[[Inputs], dict[str, dict[str, Any]]]

  def write(self, name: str, content: str | bytes) -> pathlib.Path:
    path = self.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path

  def read(self, data: pathlib.Path, *settings: str) -> tuple[list[Record], list[Rejected]]:
    """The records that a run with these settings reads, and those that it rejects."""
    return self.read_as(self.run(self.task, *settings, data=data))

  def read_as(self, inputs: Inputs, options: Mapping[str, Any] | None = None):
    """As `read`, for a run that is prepared; `options` are the source's."""
    options = options if options is not None else inputs.config.data_options(inputs.task)
    plan = inputs.source.plan(inputs.config.data_path, options)
    found = [each for shard in plan.shards for each in inputs.source.read(shard, options)]
    return (
      [each for each in found if isinstance(each, Record)],
      [each for each in found if isinstance(each, Rejected)],
    )

  def table(self, mark: str = ",", header: bool = True) -> pathlib.Path:
    """Writes the task's table, with these marks between its cells."""
    return _TABLES[self.task](self, mark, header)

  def input(self, layout: str) -> pathlib.Path:
    """Writes the task's input of a layout."""
    return _INPUTS[self.task, layout](self)

  def has(self, layout: str) -> bool:
    """Whether `input` knows a layout of the task."""
    return (self.task, layout) in _INPUTS

  def lines_with_two_labels(self) -> pathlib.Path:
    """Writes lines with one of good and bad at the start, and one of a and b at the end."""
    lines = [f"{_CLASSES[n % 2]}\t{text}\t{'ab'[n // 4]}\n" for n, text in enumerate(_TEXTS)]
    return self.write("lines.txt", "".join(lines))

  def lines_with_two_pairs(self) -> pathlib.Path:
    """Writes lines of a pair and another one, four columns."""
    lines = [f"{s}\t{t}\tSo {s}\tAlso {t}" for s, t in _PAIRS]
    return self.write("pairs.txt", "\n".join(lines) + "\n")

  def given_to(self, node: str, *settings: str) -> Mapping[str, Any]:
    return self.drawn(self.run(self.task, *settings))[node]


@pytest.fixture
def desk(task_name, tmp_path, make_picture, run, drawn):
  return Desk(task=task_name, folder=tmp_path / "input", picture=make_picture, run=run, drawn=drawn)


# Inputs of each layout; what each holds twice, settings tell apart.


def _pictures(desk: Desk) -> list[str]:
  for number in range(8):
    side = 8 if number % 4 else 16
    picture = desk.picture(width=side, height=side, seed=number)
    desk.write(f"{_CLASSES[number % 2]}/{number}.png", picture)
  return [f"{_CLASSES[number % 2]}/{number}.png" for number in range(8)]


def _folder_of_pictures(desk: Desk) -> pathlib.Path:
  _pictures(desk)
  return desk.folder


def _table_of_pictures(desk: Desk, mark: str = ",", header: bool = True) -> pathlib.Path:
  rows = [("path", "label", "file", "kind", "part")] if header else []
  parts = ("train", "train", "train", "train", "val", "val", "test", "test")
  for name, part in zip(_pictures(desk), parts, strict=True):
    other = name[:-4] + "b.png"
    desk.write(other, desk.picture(seed=int(pathlib.Path(name).stem) + 100))
    rows.append((name, name.split("/")[0], other, "odd" if part == "val" else "even", part))
  return desk.write("pictures.csv", "".join(mark.join(row) + "\n" for row in rows))


def _records_file(desk: Desk, *features: Mapping[str, bytes]) -> pathlib.Path:
  import tensorflow as tf

  desk.folder.mkdir(parents=True, exist_ok=True)
  path = desk.folder / "data.tfrecord"
  with tf.io.TFRecordWriter(str(path)) as writer:
    for row in features:
      lists = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for name, value in row.items()
      }
      writer.write(tf.train.Example(features=tf.train.Features(feature=lists)).SerializeToString())
  return path


def _records_of_pictures(desk: Desk) -> pathlib.Path:
  return _records_file(
    desk,
    *(
      {
        "image": desk.picture(seed=number),
        "other": desk.picture(seed=number + 50),
        "label": _CLASSES[number % 2].encode(),
        "kind": b"even" if number < 4 else b"odd",
      }
      for number in range(8)
    ),
  )


_MORE = " and it went on for hours and hours until the very end"  # of the last two
_TEXTS = [
  f"the film number {number} was {_CLASSES[number % 2]} to see{_MORE if number > 5 else ''}"
  for number in range(8)
]


def _table_of_texts(desk: Desk, mark: str = ",", header: bool = True) -> pathlib.Path:
  rows = [("text", "label", "title", "kind", "part")] if header else []
  parts = ("train", "train", "train", "train", "val", "val", "test", "test")
  for number, (text, part) in enumerate(zip(_TEXTS, parts, strict=True)):
    kind = "odd" if number > 3 else "even"
    rows.append((text, _CLASSES[number % 2], f"a title number {number}", kind, part))
  return desk.write("texts.csv", "".join(mark.join(row) + "\n" for row in rows))


def _folder_of_texts(desk: Desk) -> pathlib.Path:
  for number, text in enumerate(_TEXTS):
    desk.write(f"{_CLASSES[number % 2]}/{number}.txt", text)
  return desk.folder


def _lines_of_texts(desk: Desk) -> pathlib.Path:
  lines = [f"__label__{_CLASSES[number % 2]} {text}\n" for number, text in enumerate(_TEXTS)]
  return desk.write("lines.txt", "".join(lines))


def _records_of_texts(desk: Desk) -> pathlib.Path:
  return _records_file(
    desk,
    *(
      {
        "text": text.encode(),
        "title": f"a title number {number}".encode(),
        "label": _CLASSES[number % 2].encode(),
        "kind": b"even" if number < 4 else b"odd",
      }
      for number, text in enumerate(_TEXTS)
    ),
  )


_PAIRS = [
  (f"I have seen {n} old houses today{more}.", f"Ich habe heute {n} alte Häuser gesehen{more}.")
  for n, more in zip(
    ("two", "three", "four", "five", "six", "seven", "eight", "nine"),
    [""] * 6 + [_MORE] * 2,
    strict=True,
  )
]


def _table_of_pairs(desk: Desk, mark: str = ",", header: bool = True) -> pathlib.Path:
  rows = [("source", "target", "english", "german", "part")] if header else []
  parts = ("train", "train", "train", "train", "val", "val", "test", "test")
  for (source, target), part in zip(_PAIRS, parts, strict=True):
    rows.append((source, target, f"Well, {source}", f"Nun, {target}", part))
  return desk.write(
    "pairs.csv", "".join(mark.join(f'"{cell}"' for cell in row) + "\n" for row in rows)
  )


def _two_columns(desk: Desk) -> pathlib.Path:
  return desk.write("two.txt", "".join(f"{s}\t{t}\n" for s, t in _PAIRS))


def _aligned(desk: Desk) -> pathlib.Path:
  desk.write("corpus.de", "".join(f"{t}\n" for _, t in _PAIRS))
  desk.write("corpus.en", "".join(f"{s}\n" for s, _ in _PAIRS))
  return desk.folder


_INPUTS: Mapping[tuple[str, str], Callable[[Desk], pathlib.Path]] = {
  ("images", "folder"): _folder_of_pictures,
  ("images", "manifest"): _table_of_pictures,
  ("images", "tfrecord"): _records_of_pictures,
  ("sentiment", "table"): _table_of_texts,
  ("sentiment", "folder"): _folder_of_texts,
  ("sentiment", "lines"): _lines_of_texts,
  ("sentiment", "tfrecord"): _records_of_texts,
  ("translation", "table"): _table_of_pairs,
  ("translation", "tsv"): _two_columns,
  ("translation", "aligned"): _aligned,
}
_TABLES: Mapping[str, Callable[..., pathlib.Path]] = {
  "images": _table_of_pictures,
  "sentiment": _table_of_texts,
  "translation": _table_of_pairs,
}


def pytest_generate_tests(metafunc):
  """Gives a test of a layout every layout that can be written."""
  if "layout" in metafunc.fixturenames:
    metafunc.parametrize(("task_name", "layout"), list(_INPUTS))


@pytest.fixture
def layouts():
  """Returns task and layout of all that `layout` is."""
  return set(_INPUTS)
