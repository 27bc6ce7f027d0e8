"""`prepare`: from a command's options to a run that can start, on real input."""

import dataclasses
import os
import re
import shutil

import pytest

from dlpipe.errors import BadInputError
from pipeline.api.inputs import choose_source, prepare
from pipeline.settings.reading import make_config
from pipeline.tasks.images.task import TASK


def _prepare(data, **options):
  defaults = {
    "task": "images",
    "data": data and str(data),
    "workspace": None,
    "config_file": None,
    "settings": (),
    "tiny": False,
    "beam": None,
  }
  return prepare(**{**defaults, **options})


def test_the_source_and_the_picture_size_come_from_the_data(class_folders, tmp_path, monkeypatch):
  monkeypatch.setenv("DLPIPE_WORKSPACE", str(tmp_path / "w"))
  inputs = _prepare(class_folders("cat", "dog"))
  assert inputs.task is TASK
  assert inputs.source is TASK.sources["folder"]
  assert inputs.config.data_path == str(tmp_path / "pictures")
  assert inputs.config.workspace == str(tmp_path / "w")
  assert inputs.params.image_size == 16
  assert inputs.params.epochs == 16
  assert not (tmp_path / "w").exists()


def test_what_the_user_sets_is_not_inferred(class_folders):
  inputs = _prepare(class_folders("cat", "dog"), settings=("model.image_size=40",), tiny=True)
  assert inputs.params.image_size == 40
  assert inputs.params.widths == [8, 16]


def test_a_weights_file_is_identified_by_its_content(class_folders, tmp_path):
  folder = class_folders("cat", "dog")
  weights = tmp_path / "weights.h5"
  hashes = []
  for content in (b"one", b"two"):
    weights.write_bytes(b"\x89HDF\r\n\x1a\n" + content)
    settings = ("model.backbone=squeezenet", f"model.weights={weights}")
    found = _prepare(folder, settings=settings).params
    assert found.weights == str(weights)
    assert found.image_size == 224
    hashes.append(found.weights_sha256)
  assert len(set(hashes)) == 2


def test_without_data_the_shipped_sample_is_taken(monkeypatch, tmp_path):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  inputs = _prepare(None)
  assert inputs.config.data_path == str(tmp_path / "dlpipe" / "images" / "digits")
  assert os.path.isdir(inputs.config.data_path)


def test_a_wrong_setting_is_refused_before_the_sample_is_written(monkeypatch, tmp_path):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
  with pytest.raises(BadInputError, match="unknown name"):
    _prepare(None, settings=("model.nothing=1",))
  assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["runs [old]", "a*", "why?", "a\\b"])
def test_a_workspace_that_tfx_takes_for_a_pattern_is_refused(name, class_folders, tmp_path):
  # StatisticsGen would find none of the files: "No files found based on the file pattern".
  with pytest.raises(BadInputError, match="The workspace takes a path without"):
    _prepare(class_folders("cat", "dog"), workspace=str(tmp_path / name))


def test_input_that_a_source_cannot_use_is_refused(tmp_path, make_picture):
  (tmp_path / "flat").mkdir()
  (tmp_path / "flat" / "1.png").write_bytes(make_picture())
  with pytest.raises(BadInputError):
    _prepare(tmp_path / "flat")


def _config(path, *settings):
  return make_config(TASK, data_path=str(path), workspace="w", settings=settings)


def test_a_named_source_is_taken_without_looking(tmp_path):
  name, source = choose_source(TASK, _config(tmp_path, "data.source=idx"))
  assert (name, source) == ("idx", TASK.sources["idx"])


def test_sources_are_tried_in_order(tmp_path):
  always = dataclasses.replace(TASK.sources["folder"], matches=lambda path: True)
  never = dataclasses.replace(TASK.sources["folder"], matches=lambda path: False)
  task = dataclasses.replace(TASK, sources={"a": never, "b": always, "c": always})
  assert choose_source(task, _config(tmp_path)) == ("b", always)
  task = dataclasses.replace(TASK, sources={"a": never})
  with pytest.raises(BadInputError, match="looks like an input of the task images") as refused:
    choose_source(task, _config(tmp_path))
  assert f"  a: {never.description}" in str(refused.value)


@pytest.mark.parametrize(
  ("name", "data", "words"),
  [
    ("reviews.csv.bz2", b"BZh91AY&SY\x00", "an archive by bzip2; unpack it with `bunzip2`"),
    ("reviews.xlsx", b"PK\x03\x04\xff\x00[Content_Types].xml", "save the sheet as CSV in UTF-8"),
    ("reviews.json", b'[{"text": "a"}]', "a JSON array; write one object a line"),
    ("reviews.json", b'{"rows": []}', "JSON by its first character"),
  ],
)
def test_a_file_that_nothing_reads_is_called_what_it_is(name, data, words, tmp_path):
  (tmp_path / name).write_bytes(data)
  with pytest.raises(BadInputError, match=re.escape(words)):
    prepare(
      task="sentiment",
      data=str(tmp_path / name),
      workspace=str(tmp_path),
      config_file=None,
      settings=[],
      tiny=True,
      beam=None,
    )


def test_a_path_that_is_not_there_names_every_layout(tmp_path):
  with pytest.raises(BadInputError) as refused:
    choose_source(TASK, _config(tmp_path / "absent"))
  first, *layouts = str(refused.value).splitlines()
  assert first.startswith(f"There is no '{tmp_path / 'absent'}'.")
  assert [line.split(":")[0].strip() for line in layouts] == list(TASK.sources)


def test_a_path_may_be_what_file_names_begin_with(tmp_path):
  pairs = dataclasses.replace(
    TASK.sources["idx"], matches=lambda path: os.path.exists(f"{path}.en")
  )
  task = dataclasses.replace(TASK, sources={"idx": TASK.sources["idx"], "pairs": pairs})
  (tmp_path / "train.en").write_text("")
  assert choose_source(task, _config(tmp_path / "train")) == ("pairs", pairs)
  with pytest.raises(BadInputError, match="There is no"):
    choose_source(task, _config(tmp_path / "test"))


@pytest.mark.parametrize("setting", ["data.separator=semicolon", "data.header=false"])
def test_what_is_said_of_tables_is_refused_for_other_layouts(class_folders, setting):
  name = setting.split("=")[0]
  with pytest.raises(BadInputError) as refused:
    _prepare(class_folders("cat", "dog"), settings=(setting,))
  assert str(refused.value).startswith(f"{name} is for manifest, and ")
  assert str(refused.value).endswith("or name the layout with --set data.source=manifest")


def test_separator_and_header_reach_the_table(tmp_path):
  rows = "".join(f"{n % 2};a film {n}\n" for n in range(20))
  (tmp_path / "x.csv").write_text(rows)
  settings = ("data.separator=;", "data.header=false", "data.text_column=2", "data.label_column=1")
  inputs = _prepare(tmp_path / "x.csv", task="sentiment", settings=settings)
  assert inputs.recognized == (
    ["Read as table: text = column '2', label = column '1'; 1 file: x.csv."]
  )


def _days(class_folders, tmp_path, *days):
  for day in days:
    folder = class_folders("cat", "dog")
    (tmp_path / "inbox").mkdir(exist_ok=True)
    folder.rename(tmp_path / "inbox" / f"2026-11-{day:02d}")
  return tmp_path / "inbox" / "{date}"


def test_a_pattern_is_read_as_spans_and_looked_at_in_the_newest(class_folders, tmp_path):
  pattern = _days(class_folders, tmp_path, 1, 2, 4)
  (tmp_path / "inbox" / "2026-11-05").mkdir()
  inputs = _prepare(pattern, settings=("data.window=4",))
  assert inputs.config.data_path == str(pattern)
  assert inputs.source is TASK.sources["folder"]
  assert inputs.params.image_size == 16
  assert inputs.recognized[:2] == [
    "3 spans: 2026-11-02 to 2026-11-05, data.window=4. None of them was read here before.",
    "Warning: missing spans: 2026-11-03.",
  ]
  assert inputs.config.spans.root.endswith("images/spans")


def test_a_day_may_lack_a_class_and_the_only_day_of_a_window_may_not(class_folders, tmp_path):
  pattern = _days(class_folders, tmp_path, 1, 2)
  shutil.rmtree(tmp_path / "inbox" / "2026-11-02" / "cat")
  assert len(_prepare(pattern).config.spans.root)
  with pytest.raises(BadInputError, match="at least two classes"):
    _prepare(pattern, settings=("data.window=1",))


@pytest.mark.parametrize(
  ("setting", "message"),
  [
    ("data.window=0", "data.window must be null or a whole number of at least 1"),
    ("data.window=1.5", "data.window must be null or a whole number of at least 1"),
    ("data.last_span=soon", "data.last_span must be a day such as 2026-11-30"),
    ("data.missing_span=ignore", "data.missing_span must be warn or refuse"),
    ("data.min_span_size=1", "data.min_span_size must be a number"),
  ],
)
def test_a_setting_of_spans_that_cannot_work_is_refused(class_folders, tmp_path, setting, message):
  with pytest.raises(BadInputError, match=message):
    _prepare(_days(class_folders, tmp_path, 1), settings=(setting,))


def test_settings_of_spans_are_refused_for_data_without_spans(class_folders):
  with pytest.raises(BadInputError, match=r"^data\.window is for data in spans, and "):
    _prepare(class_folders("cat", "dog"), settings=("data.window=3",))


def test_a_window_of_empty_days_is_refused(tmp_path):
  (tmp_path / "inbox" / "2026-11-02").mkdir(parents=True)
  with pytest.raises(BadInputError, match="in the window is empty: 2026-11-02"):
    _prepare(tmp_path / "inbox" / "{date}")
