"""What every setting of `data` does to what is read, on a few pictures, texts and pairs."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from components.data_gate import judge
from components.source_example_gen.splits import SplitRule, content_key
from components.source_example_gen.summary import LostClass, Summary
from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected
from pipeline.api.inputs import Inputs, choose_source
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task

SECTIONS = ("data",)
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
    return _read(self.run(self.task, *settings, data=data))

  def given_to(self, node: str, *settings: str) -> Mapping[str, Any]:
    return self.drawn(self.run(self.task, *settings))[node]


@pytest.fixture
def desk(task_name, tmp_path, make_picture, run, drawn):
  return Desk(task=task_name, folder=tmp_path / "input", picture=make_picture, run=run, drawn=drawn)


def _read(inputs: Inputs, options: Mapping[str, Any] | None = None):
  options = options if options is not None else inputs.config.data_options(inputs.task)
  plan = inputs.source.plan(inputs.config.data_path, options)
  found = [each for shard in plan.shards for each in inputs.source.read(shard, options)]
  return (
    [each for each in found if isinstance(each, Record)],
    [each for each in found if isinstance(each, Rejected)],
  )


def _texts(records: Sequence[Record], feature: str) -> list[str]:
  values = [record.features[feature] for record in records]
  return sorted(v.decode() if isinstance(v, bytes) else str(v) for v in values)


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


def _lines_of_pairs(desk: Desk) -> pathlib.Path:
  lines = [f"{s}\t{t}\tSo {s}\tAlso {t}" for s, t in _PAIRS]
  return desk.write("pairs.txt", "\n".join(lines) + "\n")


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


# The checks.


def _check_source(desk: Desk) -> None:
  task = get_task(desk.task)
  path = _TABLES[desk.task](desk)
  for name in task.sources:
    config = make_config(task, data_path=str(path), workspace="w", settings=[f"data.source={name}"])
    assert choose_source(task, config) == (name, task.sources[name])
  with pytest.raises(BadInputError, match="Unknown data.source='no_such'"):
    desk.run(desk.task, "data.source=no_such", data=path)


def _verdict(desk: Desk, *settings: str) -> bool:
  """Whether DataGate, as it is drawn, lets pass 2 of 12 records bad, one class lost, a warning."""
  from tensorflow_metadata.proto.v0 import anomalies_pb2

  given = desk.given_to("DataGate", *settings)
  anomaly = anomalies_pb2.Anomalies()
  anomaly.anomaly_info["label"].severity = anomalies_pb2.AnomalyInfo.WARNING
  lost = {"odd": LostClass(named=True, inputs=2, reasons={"cannot be decoded": 2})}
  checks = judge(
    anomalies={
      "train": anomaly if "min_severity" in str(settings) else anomalies_pb2.Anomalies(),
      **dict.fromkeys(("val", "eval"), anomalies_pb2.Anomalies()),
    },
    summary=Summary(
      examples={"train": 8, "val": 1, "eval": 1},
      quarantined=2 if "max_bad_fraction" in str(settings) else 0,
      lost=lost if "allow_lost_classes" in str(settings) else {},
    ),
    max_bad_fraction=given["max_bad_fraction"],
    min_severity=given["min_severity"],
    allow_lost_classes=bool(given["allow_lost_classes"]),
  )
  return all(check.passed for check in checks)


def _check_max_bad_fraction(desk: Desk) -> None:
  assert not _verdict(desk, "data.max_bad_fraction=0.05")
  assert _verdict(desk, "data.max_bad_fraction=0.2")


def _check_min_severity(desk: Desk) -> None:
  assert _verdict(desk, "data.min_severity=ERROR")
  assert not _verdict(desk, "data.min_severity=WARNING")


def _check_allow_lost_classes(desk: Desk) -> None:
  if not get_task(desk.task).problem.has_classes:
    with pytest.raises(BadInputError, match="data.allow_lost_classes is for tasks with classes"):
      desk.run(desk.task, "data.allow_lost_classes=true")
    return
  assert not _verdict(desk, "data.allow_lost_classes=false")
  assert _verdict(desk, "data.allow_lost_classes=true")


def _check_fraction(split: str) -> Callable[[Desk], None]:
  def check(desk: Desk) -> None:
    given = desk.given_to("SourceExampleGen", f"data.{split}_fraction=0.4")
    rule = SplitRule(**{name: given[name] for name in ("val_fraction", "eval_fraction")})
    drawn = [rule.split_of(content_key(bytes([n % 256, n // 256])), None) for n in range(2000)]
    assert drawn.count(split) / 2000 == pytest.approx(0.4, abs=0.04)
    # Where the input has that split, nothing is drawn into it.
    write = _TABLES[desk.task]
    with pytest.raises(BadInputError, match=f"^data.{split}_fraction is for splits that are drawn"):
      desk.run(
        desk.task,
        f"data.{split}_fraction=0.4",
        "data.split_column=part",
        data=write(desk),
      )

  return check


def _check_bound(name: str, most: int) -> Callable[[Desk], None]:
  def check(desk: Desk) -> None:
    data = _TABLES[desk.task](desk)
    assert desk.read(data)[1] == []
    records, rejected = desk.read(data, f"data.{name}={most}")
    assert (len(records), len(rejected)) == (6, 2)
    assert all(f"data.{name} = {most}" in each.reason for each in rejected)

  return check


def _check_named(option: str, column: str, feature: str, others: Sequence[str]):
  """A column or a feature of the input that another one is taken for where nobody names it."""

  def check(desk: Desk) -> None:
    layout, *_ = others
    data = _INPUTS[desk.task, layout](desk)
    usual, named = desk.read(data)[0], desk.read(data, f"data.{option}={column}")[0]
    assert len(usual) == len(named) == 8
    assert not set(_values(usual, feature)) & set(_values(named, feature))
    for rival in set(get_task(desk.task).sources) - set(others):
      if (desk.task, rival) in _INPUTS:
        away = dataclasses.replace(desk, folder=desk.folder / f"of_{rival}")
        with pytest.raises(BadInputError, match=f"^data.{option} is for "):
          desk.run(desk.task, f"data.{option}={column}", data=_INPUTS[desk.task, rival](away))

  return check


def _values(records: Sequence[Record], feature: str) -> list[Any]:
  return [record.features[feature] for record in records]


def _check_split_column(desk: Desk) -> None:
  data = _TABLES[desk.task](desk)
  assert {record.split for record in desk.read(data)[0]} == {None}
  records, _ = desk.read(data, "data.split_column=part")
  counts = [sum(r.split == name for r in records) for name in ("train", "val", "eval")]
  assert counts == [4, 2, 2]


def _check_separator(desk: Desk) -> None:
  write = _TABLES[desk.task]
  data = write(desk, mark=";")
  with pytest.raises(BadInputError):
    desk.run(desk.task, data=data)
  for said in ("semicolon", ";"):
    assert len(desk.read(data, f"data.separator={said}")[0]) == 8


def _check_header(desk: Desk) -> None:
  write = _TABLES[desk.task]
  data = write(desk, header=False)
  first, second = {
    "images": ("path", "label"),
    "sentiment": ("text", "label"),
    "translation": ("source", "target"),
  }[desk.task]
  columns = [f"data.{first}_column=1", f"data.{second}_column=2"]
  assert len(desk.read(data, "data.header=false", *columns)[0]) == 8
  with pytest.raises(BadInputError):
    desk.run(desk.task, "data.header=true", f"data.{first}_column=x", data=data)


def _check_label_from(desk: Desk) -> None:
  lines = [f"{_CLASSES[n % 2]}\t{text}\t{'ab'[n // 4]}\n" for n, text in enumerate(_TEXTS)]
  data = desk.write("lines.txt", "".join(lines))
  for place, labels in (("first", {*_CLASSES}), ("last", {"a", "b"})):
    records, _ = desk.read(data, f"data.label_from={place}", "data.source=lines")
    assert set(_texts(records, "label")) == labels
  away = dataclasses.replace(desk, folder=desk.folder / "folders")
  with pytest.raises(BadInputError, match="^data.label_from is for lines, and "):
    desk.run(desk.task, "data.label_from=first", data=_folder_of_texts(away))


def _check_reverse(desk: Desk) -> None:
  data = _two_columns(desk)
  usual, turned = desk.read(data)[0], desk.read(data, "data.reverse=true")[0]
  assert _texts(usual, "text") == _texts(turned, "target")
  assert _texts(usual, "target") == _texts(turned, "text")
  away = dataclasses.replace(desk, folder=desk.folder / "aligned")
  with pytest.raises(BadInputError, match="^data.reverse is for tsv, and "):
    desk.run(desk.task, "data.reverse=true", data=_aligned(away))


def _check_columns(option: str, column: str, feature: str) -> Callable[[Desk], None]:
  def check(desk: Desk) -> None:
    _check_named(option, column, feature, ["table", "tsv"])(desk)
    data = _lines_of_pairs(dataclasses.replace(desk, folder=desk.folder / "lines"))
    first, second = (
      desk.read(data, f"data.source_column={a}", f"data.target_column={b}")[0]
      for a, b in ((1, 2), (3, 4))
    )
    assert not set(_texts(first, feature)) & set(_texts(second, feature))

  return check


def _check_languages(desk: Desk) -> None:
  data = _aligned(desk)
  english, german = (
    [f"data.source_language={source}", f"data.target_language={target}"]
    for source, target in (("en", "de"), ("de", "en"))
  )
  first, second = desk.read(data, *english)[0], desk.read(data, *german)[0]
  assert _texts(first, "text") == _texts(second, "target")
  assert _texts(first, "target") == _texts(second, "text")
  away = dataclasses.replace(desk, folder=desk.folder / "table")
  for setting in english:
    with pytest.raises(BadInputError, match=r"^data\.\w+_language is for aligned, and "):
      desk.run(desk.task, setting, data=_table_of_pairs(away))


def _check_relabel(desk: Desk) -> None:
  data = desk.write("new.csv", "origin,new_label\nsome row,good\nanother,\n")
  given = desk.given_to("SourceExampleGen", f"data.relabel={data}")
  assert given["relabel"] == str(data)
  assert given["relabelled_key"] == get_task(desk.task).label_key
  assert desk.given_to("SourceExampleGen", "data.relabel=null").get("relabel") is None
  said = desk.run(desk.task, f"data.relabel={data}").recognized
  assert said[-1] == f"1 label comes from {data} (data.relabel)"
  with pytest.raises(BadInputError, match=r"data\.relabel='.*absent.csv' cannot be read"):
    desk.run(desk.task, "data.relabel=absent.csv")


def _check_spans(name: str, value: str, default: Any) -> Callable[[Desk], None]:
  """Of the window, and of what DataGate is told; the data are three days."""

  def check(desk: Desk) -> None:
    table = _TABLES[desk.task](desk)
    days = desk.folder.parent / "inbox"
    for day in (1, 2, 4):
      shutil.copytree(desk.folder, days / f"2026-11-0{day}")
    pattern = days / "{date}" / table.name
    asked = f"data.{name}={value}"
    given = [
      desk.drawn(desk.run(desk.task, *settings, data=pattern)) for settings in ((), (asked,))
    ]
    for told, expected in zip(given, (default, value), strict=True):
      window = json.loads(told["SourceExampleGen"]["spans"])
      found = {**window, **told["DataGate"]}[name]
      assert str(found) == str(expected)
    with pytest.raises(BadInputError, match=rf"^{asked.split('=')[0]} is for data in spans, and "):
      desk.run(desk.task, asked)

  return check


_SHARED: Mapping[str, Callable[[Desk], None]] = {
  "window": _check_spans("window", "2", None),
  "last_span": _check_spans("last_span", "2026-11-02", None),
  "missing_span": _check_spans("missing_span", "refuse", "warn"),
  "min_span_size": _check_spans("min_span_size", "0.25", 0.1),
  "source": _check_source,
  "max_bad_fraction": _check_max_bad_fraction,
  "min_severity": _check_min_severity,
  "allow_lost_classes": _check_allow_lost_classes,
  "relabel": _check_relabel,
  "val_fraction": _check_fraction("val"),
  "eval_fraction": _check_fraction("eval"),
  "split_column": _check_split_column,
  "separator": _check_separator,
  "header": _check_header,
}
_OWN: Mapping[tuple[str, str], Callable[[Desk], None]] = {
  ("images", "max_pixels"): _check_bound("max_pixels", 100),
  ("images", "path_column"): _check_named("path_column", "file", "image", ["manifest"]),
  ("images", "label_column"): _check_named("label_column", "kind", "label", ["manifest"]),
  ("images", "image_feature"): _check_named("image_feature", "other", "image", ["tfrecord"]),
  ("images", "label_feature"): _check_named("label_feature", "kind", "label", ["tfrecord"]),
  ("sentiment", "max_chars"): _check_bound("max_chars", 60),
  ("sentiment", "text_column"): _check_named("text_column", "title", "text", ["table"]),
  ("sentiment", "label_column"): _check_named("label_column", "kind", "label", ["table"]),
  ("sentiment", "text_feature"): _check_named("text_feature", "title", "text", ["tfrecord"]),
  ("sentiment", "label_feature"): _check_named("label_feature", "kind", "label", ["tfrecord"]),
  ("sentiment", "label_from"): _check_label_from,
  ("translation", "max_chars"): _check_bound("max_chars", 60),
  ("translation", "source_column"): _check_columns("source_column", "english", "text"),
  ("translation", "target_column"): _check_columns("target_column", "german", "target"),
  ("translation", "reverse"): _check_reverse,
  ("translation", "source_language"): _check_languages,
  ("translation", "target_language"): _check_languages,
}


def test_it_changes_what_is_read(task_name, setting, desk):
  check = _OWN.get((task_name, setting.name)) or _SHARED[setting.name]
  check(desk)


# What cannot be guessed.
_TOLD = {("translation", "aligned"): ("data.source_language=en", "data.target_language=de")}


class _Recording(dict):
  """Options that remember which of them were asked for."""

  def __init__(self, values: Mapping[str, Any]):
    super().__init__(values)
    self.asked: set[str] = set()

  def __getitem__(self, name):
    self.asked.add(name)
    return super().__getitem__(name)

  def get(self, name, default=None):
    self.asked.add(name)
    return super().get(name, default)


@pytest.mark.parametrize(("task_name", "layout"), list(_INPUTS))
def test_a_layout_reads_what_it_says_that_it_reads(task_name, layout, desk):
  data = _INPUTS[task_name, layout](desk)
  inputs = desk.run(task_name, *_TOLD.get((task_name, layout), ()), data=data)
  assert inputs.source is inputs.task.sources[layout]
  options = _Recording(inputs.config.data_options(inputs.task))
  records, _ = _read(inputs, options)
  assert len(records) == 8
  assert options.asked == {*inputs.source.options, *inputs.task.input.bounds}


def test_every_layout_is_among_those_that_were_tried():
  layouts = {
    (name, layout)
    for name in ("images", "sentiment", "translation")
    for layout in get_task(name).sources
  }
  assert layouts - set(_INPUTS) == {("images", "idx")}
  assert get_task("images").sources["idx"].options == ()
