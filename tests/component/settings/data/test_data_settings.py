"""What every setting of `data` does to what is read, on a few pictures, texts and pairs."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from components.data_gate import judge
from components.source_example_gen.splits import SplitRule, content_key
from components.source_example_gen.summary import LostClass, Summary
from dlpipe.errors import BadInputError
from dlpipe.records import Record
from pipeline.api.inputs import choose_source
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task

SECTIONS = ("data",)


def _texts(records: Sequence[Record], feature: str) -> list[str]:
  values = [record.features[feature] for record in records]
  return sorted(v.decode() if isinstance(v, bytes) else str(v) for v in values)


def _check_source(desk) -> None:
  task = get_task(desk.task)
  path = desk.table()
  for name in task.sources:
    config = make_config(task, data_path=str(path), workspace="w", settings=[f"data.source={name}"])
    assert choose_source(task, config) == (name, task.sources[name])
  with pytest.raises(BadInputError, match="Unknown data.source='no_such'"):
    desk.run(desk.task, "data.source=no_such", data=path)


def _verdict(desk, *settings: str) -> bool:
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


def _check_max_bad_fraction(desk) -> None:
  assert not _verdict(desk, "data.max_bad_fraction=0.05")
  assert _verdict(desk, "data.max_bad_fraction=0.2")


def _check_min_severity(desk) -> None:
  assert _verdict(desk, "data.min_severity=ERROR")
  assert not _verdict(desk, "data.min_severity=WARNING")


def _check_allow_lost_classes(desk) -> None:
  if not get_task(desk.task).problem.has_classes:
    with pytest.raises(BadInputError, match="data.allow_lost_classes is for tasks with classes"):
      desk.run(desk.task, "data.allow_lost_classes=true")
    return
  assert not _verdict(desk, "data.allow_lost_classes=false")
  assert _verdict(desk, "data.allow_lost_classes=true")


def _check_fraction(split: str) -> Callable[..., None]:
  def check(desk) -> None:
    given = desk.given_to("SourceExampleGen", f"data.{split}_fraction=0.4")
    rule = SplitRule(**{name: given[name] for name in ("val_fraction", "eval_fraction")})
    drawn = [rule.split_of(content_key(bytes([n % 256, n // 256])), None) for n in range(2000)]
    assert drawn.count(split) / 2000 == pytest.approx(0.4, abs=0.04)
    # Where the input has that split, nothing is drawn into it.
    with pytest.raises(BadInputError, match=f"^data.{split}_fraction is for splits that are drawn"):
      desk.run(
        desk.task,
        f"data.{split}_fraction=0.4",
        "data.split_column=part",
        data=desk.table(),
      )

  return check


def _check_bound(name: str, most: int) -> Callable[..., None]:
  def check(desk) -> None:
    data = desk.table()
    assert desk.read(data)[1] == []
    records, rejected = desk.read(data, f"data.{name}={most}")
    assert (len(records), len(rejected)) == (6, 2)
    assert all(f"data.{name} = {most}" in each.reason for each in rejected)

  return check


def _check_named(option: str, column: str, feature: str, others: Sequence[str]):
  """A column or a feature of the input that another one is taken for where nobody names it."""

  def check(desk) -> None:
    layout, *_ = others
    data = desk.input(layout)
    usual, named = desk.read(data)[0], desk.read(data, f"data.{option}={column}")[0]
    assert len(usual) == len(named) == 8
    assert not set(_values(usual, feature)) & set(_values(named, feature))
    for rival in set(get_task(desk.task).sources) - set(others):
      if desk.has(rival):
        away = dataclasses.replace(desk, folder=desk.folder / f"of_{rival}")
        with pytest.raises(BadInputError, match=f"^data.{option} is for "):
          desk.run(desk.task, f"data.{option}={column}", data=away.input(rival))

  return check


def _values(records: Sequence[Record], feature: str) -> list[Any]:
  return [record.features[feature] for record in records]


def _check_split_column(desk) -> None:
  data = desk.table()
  assert {record.split for record in desk.read(data)[0]} == {None}
  records, _ = desk.read(data, "data.split_column=part")
  counts = [sum(r.split == name for r in records) for name in ("train", "val", "eval")]
  assert counts == [4, 2, 2]


def _check_separator(desk) -> None:
  data = desk.table(mark=";")
  with pytest.raises(BadInputError):
    desk.run(desk.task, data=data)
  for said in ("semicolon", ";"):
    assert len(desk.read(data, f"data.separator={said}")[0]) == 8


def _check_header(desk) -> None:
  data = desk.table(header=False)
  first, second = {
    "images": ("path", "label"),
    "sentiment": ("text", "label"),
    "translation": ("source", "target"),
  }[desk.task]
  columns = [f"data.{first}_column=1", f"data.{second}_column=2"]
  assert len(desk.read(data, "data.header=false", *columns)[0]) == 8
  with pytest.raises(BadInputError):
    desk.run(desk.task, "data.header=true", f"data.{first}_column=x", data=data)


def _check_label_from(desk) -> None:
  data = desk.lines_with_two_labels()
  for place, labels in (("first", {"bad", "good"}), ("last", {"a", "b"})):
    records, _ = desk.read(data, f"data.label_from={place}", "data.source=lines")
    assert set(_texts(records, "label")) == labels
  away = dataclasses.replace(desk, folder=desk.folder / "folders")
  with pytest.raises(BadInputError, match="^data.label_from is for lines, and "):
    desk.run(desk.task, "data.label_from=first", data=away.input("folder"))


def _check_reverse(desk) -> None:
  data = desk.input("tsv")
  usual, turned = desk.read(data)[0], desk.read(data, "data.reverse=true")[0]
  assert _texts(usual, "text") == _texts(turned, "target")
  assert _texts(usual, "target") == _texts(turned, "text")
  away = dataclasses.replace(desk, folder=desk.folder / "aligned")
  with pytest.raises(BadInputError, match="^data.reverse is for tsv, and "):
    desk.run(desk.task, "data.reverse=true", data=away.input("aligned"))


def _check_columns(option: str, column: str, feature: str) -> Callable[..., None]:
  def check(desk) -> None:
    _check_named(option, column, feature, ["table", "tsv"])(desk)
    data = dataclasses.replace(desk, folder=desk.folder / "lines").lines_with_two_pairs()
    first, second = (
      desk.read(data, f"data.source_column={a}", f"data.target_column={b}")[0]
      for a, b in ((1, 2), (3, 4))
    )
    assert not set(_texts(first, feature)) & set(_texts(second, feature))

  return check


def _check_languages(desk) -> None:
  data = desk.input("aligned")
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
      desk.run(desk.task, setting, data=away.table())


def _check_relabel(desk) -> None:
  data = desk.write("new.csv", "origin,new_label\nsome row,good\nanother,\n")
  given = desk.given_to("SourceExampleGen", f"data.relabel={data}")
  assert given["relabel"] == str(data)
  assert given["relabelled_key"] == get_task(desk.task).label_key
  assert desk.given_to("SourceExampleGen", "data.relabel=null").get("relabel") is None
  said = desk.run(desk.task, f"data.relabel={data}").recognized
  assert said[-1] == f"1 label comes from {data} (data.relabel)"
  with pytest.raises(BadInputError, match=r"data\.relabel='.*absent.csv' cannot be read"):
    desk.run(desk.task, "data.relabel=absent.csv")


def _check_spans(name: str, value: str, default: Any) -> Callable[..., None]:
  """Of the window, and of what DataGate is told; the data are three days."""

  def check(desk) -> None:
    table = desk.table()
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


_SHARED: Mapping[str, Callable[..., None]] = {
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
_OWN: Mapping[tuple[str, str], Callable[..., None]] = {
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
