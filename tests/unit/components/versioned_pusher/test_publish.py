"""`publish`: every visible version is whole, whatever is killed and whoever else publishes."""

import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import stat
import subprocess
import sys
import time

import pytest

from components.versioned_pusher.publish import publish, rollback
from components.versioned_pusher.version_folders import (
  content_digest,
  is_damaged,
  is_whole,
  list_versions,
  version_record,
)
from dlpipe.errors import BadInputError, DlpipeError

_ROOT = pathlib.Path(__file__).parents[4]
_TIMEOUT_S = 300


def test_first_version_is_1_and_holds_the_models_files(tmp_path, write_model):
  model = write_model(tmp_path / "model", "abc")
  assert publish(model, tmp_path / "a" / "base") == 1
  pushed = tmp_path / "a" / "base" / "1"
  assert (pushed / "saved_model.pb").read_bytes() == b"graph"
  assert (pushed / "variables" / "variables.data-00000-of-00001").read_text() == "abc"
  assert (pushed / "assets").is_dir()
  assert content_digest(pushed) == content_digest(model)
  assert sorted(p.name for p in (tmp_path / "a" / "base").iterdir()) == [
    ".last_version",
    ".publish.lock",
    "1",
  ]


def test_the_card_lies_beside_the_model_and_is_no_part_of_it(tmp_path, write_model):
  model, base = write_model(tmp_path / "model"), tmp_path / "base"
  cards = {"MODEL_CARD.md": "# one\n", "model_card.json": "{}\n"}
  previous = os.umask(0o077)
  try:
    assert publish(model, base, card=cards) == 1
  finally:
    os.umask(previous)
  assert {name: (base / "1" / name).read_text() for name in cards} == cards
  assert stat.S_IMODE((base / "1" / "MODEL_CARD.md").stat().st_mode) == 0o644
  assert content_digest(base / "1") == content_digest(model)
  # Another sentence about the same model is no other model, and an edited card damages none.
  assert publish(model, base, card={"MODEL_CARD.md": "# two\n"}) == 1
  (base / "1" / "MODEL_CARD.md").write_text("# reviewed\n")
  assert is_whole(base, 1)
  publish(write_model(tmp_path / "other", "others"), base)
  assert rollback(base) == 3
  assert (base / "3" / "MODEL_CARD.md").read_text() == "# reviewed\n"
  assert (base / "3" / "model_card.json").read_text() == "{}\n"
  assert not (base / "2" / "MODEL_CARD.md").exists()


def test_record_names_source_and_content(tmp_path, write_model):
  model = write_model(tmp_path / "model")
  publish(model, tmp_path / "base", source="runs/Trainer/model/7")
  record = json.loads((tmp_path / "base" / "1" / "dlpipe.json").read_text())
  assert record.pop("published_at").endswith("+00:00")
  assert record == {
    "version": 1,
    "first_version": 1,
    "pushed_from": "runs/Trainer/model/7",
    "sha256": content_digest(model),
  }


def test_record_keeps_what_was_said_of_the_data_through_a_rollback(tmp_path, write_model):
  base = tmp_path / "base"
  publish(write_model(tmp_path / "a", "one"), base, data_options={"text_column": "review"})
  publish(write_model(tmp_path / "b", "two"), base)
  assert "data_options" not in version_record(base, 2)
  rollback(base)
  for version in (1, 3):
    assert version_record(base, version)["data_options"] == {"text_column": "review"}


def test_a_retried_push_makes_no_second_version(tmp_path, write_model):
  model = write_model(tmp_path / "model")
  assert publish(model, tmp_path / "base") == 1
  assert publish(model, tmp_path / "base") == 1
  assert list_versions(tmp_path / "base") == [1]


def test_the_digest_of_a_content_stays_what_it_is(tmp_path, write_model):
  """Another one would call every version damaged that is served."""
  model = write_model(tmp_path / "model", "weights")
  assert content_digest(model) == (
    "34c2edf522cc8b4427a7aeec3b971a285b444fa7c2aaf583ce41a86550ad2cea"
  )


def test_the_digest_is_of_names_and_of_every_byte(tmp_path, write_model):
  large = bytes(3 << 20)
  found = set()
  for number, (name, data) in enumerate(
    [("a", large), ("b", large), ("a", large[:-1] + b"x"), ("a", large[:-1])]
  ):
    model = write_model(tmp_path / str(number))
    (model / "assets" / name).write_bytes(data)
    found.add(content_digest(model))
  assert len(found) == 4


def test_a_file_of_the_models_own_that_is_called_like_the_record_is_published(
  tmp_path, write_model
):
  model = write_model(tmp_path / "model")
  (model / "assets" / "dlpipe.json").write_text("{}")
  publish(model, tmp_path / "base")
  assert (tmp_path / "base" / "1" / "assets" / "dlpipe.json").read_text() == "{}"
  assert is_whole(tmp_path / "base", 1)


def test_same_uri_with_other_content_is_a_new_version(tmp_path, write_model):
  publish(write_model(tmp_path / "a", "one"), tmp_path / "base", source="uri")
  assert publish(write_model(tmp_path / "b", "two"), tmp_path / "base", source="uri") == 2


def test_a_retried_push_does_not_override_a_rollback(tmp_path, write_model):
  base = tmp_path / "base"
  publish(write_model(tmp_path / "a", "one"), base)
  bad = write_model(tmp_path / "b", "two")
  publish(bad, base)
  assert rollback(base) == 3
  assert publish(bad, base) == 2
  assert list_versions(base) == [1, 2, 3]


def test_numbers_grow_after_deletion(tmp_path, write_model):
  base = tmp_path / "base"
  for text in ("one", "two"):
    publish(write_model(tmp_path / text, text), base)
  (base / "2").rename(tmp_path / "gone")
  assert publish(write_model(tmp_path / "three", "three"), base) == 3


@pytest.mark.parametrize(
  ("present", "expected"), [("1700000000", 1700000001), ("00000123", 124), ("v9", 1), ("1.5", 1)]
)
def test_numbers_exceed_what_a_server_takes_for_a_version(tmp_path, present, expected, write_model):
  (tmp_path / "base" / present).mkdir(parents=True)
  assert publish(write_model(tmp_path / "model"), tmp_path / "base") == expected


def test_damaged_mark_is_refused_and_nothing_published(tmp_path, write_model):
  base = tmp_path / "base"
  base.mkdir()
  (base / ".last_version").write_text("seven")
  with pytest.raises(BadInputError, match="one whole number in .*'seven'"):
    publish(write_model(tmp_path / "model"), base)
  assert list_versions(base) == []
  assert not list(base.glob(".staging-*"))
  (base / ".last_version").write_text("7")
  assert publish(tmp_path / "model", base) == 8
  (base / ".last_version").write_text("seven")
  (base / ".last_version").unlink()
  assert publish(write_model(tmp_path / "other", "other"), base) == 9


def test_all_is_on_the_disk_before_a_version_appears(tmp_path, monkeypatch, write_model):
  """What a power cut leaves: what was not flushed may be lost, though its rename is not."""
  base, done = tmp_path / "base", []

  def shown(path):
    return re.sub(r"\.staging-\w+", "new", os.path.relpath(path, base))

  def note(module, name):
    call = getattr(module, name)

    def noted(*arguments):
      call(*arguments)
      opened = isinstance(arguments[0], int)
      paths = [os.readlink(f"/proc/self/fd/{arguments[0]}")] if opened else arguments
      done.append((name, *map(shown, paths)))

    monkeypatch.setattr(module, name, noted)

  for name in ("fsync", "rename", "replace"):
    note(os, name)
  publish(write_model(tmp_path / "model"), base)
  copied = ["new/saved_model.pb", "new/variables/variables.data-00000-of-00001", "new/dlpipe.json"]
  folders = ["new", "new/assets", "new/variables"]
  assert sorted(done[:6]) == sorted(("fsync", path) for path in (*copied, *folders))
  assert done[6:] == [
    ("fsync", ".last_version.new"),
    ("replace", ".last_version.new", ".last_version"),
    ("fsync", "."),
    ("rename", "new", "1"),
    ("fsync", "."),
  ]


def test_source_without_a_model_is_refused_before_anything_is_made(tmp_path):
  (tmp_path / "empty").mkdir()
  with pytest.raises(BadInputError, match=r"empty. Found no saved_model.pb"):
    publish(tmp_path / "empty", tmp_path / "base")
  assert not (tmp_path / "base").exists()


def test_base_path_that_is_a_file_is_one_clear_error(tmp_path, write_model):
  (tmp_path / "base").write_text("")
  with pytest.raises(DlpipeError, match="Cannot publish into .*base"):
    publish(write_model(tmp_path / "model"), tmp_path / "base")


def test_another_user_may_read_a_version(tmp_path, write_model):
  model = write_model(tmp_path / "model")
  model.chmod(0o700)
  (model / "saved_model.pb").chmod(0o600)
  umask = os.umask(0o022)
  try:
    publish(model, tmp_path / "base")
  finally:
    os.umask(umask)
  assert stat.S_IMODE((tmp_path / "base" / "1").stat().st_mode) == 0o755
  assert stat.S_IMODE((tmp_path / "base" / "1" / "saved_model.pb").stat().st_mode) == 0o644


def test_another_user_may_read_a_version_whatever_the_umask(tmp_path, write_model):
  umask = os.umask(0o077)
  try:
    publish(write_model(tmp_path / "a", "one"), tmp_path / "base")
    publish(write_model(tmp_path / "b", "two"), tmp_path / "base")
    rollback(tmp_path / "base")
  finally:
    os.umask(umask)
  assert stat.S_IMODE((tmp_path / "base").stat().st_mode) == 0o755
  for version in ("1", "2", "3"):
    for path in [tmp_path / "base" / version, *(tmp_path / "base" / version).rglob("*")]:
      assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644), path


def _truncate(version):
  (version / "saved_model.pb").write_bytes(b"")


def _lose_a_file(version):
  (version / "variables" / "variables.data-00000-of-00001").unlink()


def _edit(version):
  (version / "variables" / "variables.data-00000-of-00001").write_text("WEIGHTS")


def _lose_the_record(version):
  (version / "dlpipe.json").unlink()


def _cut_the_record(version):
  (version / "dlpipe.json").write_text('{"sha256": "')


@pytest.mark.parametrize(
  ("damage", "known"),
  [
    (_truncate, True),
    (_lose_a_file, True),
    (_edit, True),
    (_lose_the_record, False),
    (_cut_the_record, False),
  ],
)
def test_a_damaged_version_is_published_again_under_the_next_number(
  tmp_path, damage, known, write_model
):
  model, base = write_model(tmp_path / "model"), tmp_path / "base"
  publish(model, base)
  assert is_whole(base, 1)
  damage(base / "1")
  assert not is_whole(base, 1)
  assert is_damaged(base, 1) == known
  assert publish(model, base) == 2
  assert content_digest(base / "2") == content_digest(model)
  assert version_record(base, 2).get("repairs") == (1 if known else None)
  assert publish(model, base) == 2


def test_a_damaged_version_does_not_override_a_rollback(tmp_path, write_model):
  base, bad = tmp_path / "base", write_model(tmp_path / "b", "two")
  publish(write_model(tmp_path / "a", "one"), base)
  publish(bad, base)
  rollback(base)
  _truncate(base / "2")
  assert publish(bad, base) == 2
  assert list_versions(base) == [1, 2, 3]


def test_version_record_of_an_unknown_version(tmp_path, write_model):
  publish(write_model(tmp_path / "model"), tmp_path / "base")
  with pytest.raises(BadInputError, match=r"No version 4 in .*Known versions: \[1\]"):
    version_record(tmp_path / "base", 4)


_PUBLISH_MANY = """
import sys
from components.versioned_pusher.publish import publish
base, *models = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
for model in models:
  publish(model, base)
"""


def test_two_processes_at_once_publish_every_model_once(tmp_path, write_model):
  base = tmp_path / "base"
  models = [str(write_model(tmp_path / f"m{i}", f"weights {i}" * 1000)) for i in range(12)]
  with contextlib.ExitStack() as stack:
    publishers = [
      stack.enter_context(
        subprocess.Popen(
          [sys.executable, "-c", _PUBLISH_MANY, base, *half],
          stdin=subprocess.PIPE,
          stdout=subprocess.PIPE,
          env={**os.environ, "PYTHONPATH": str(_ROOT)},
        )
      )
      for half in (models[::2], models[1::2])
    ]
    for each in publishers:
      assert each.stdout.readline() == b"ready\n"
    for each in publishers:
      each.stdin.close()
    assert [each.wait(_TIMEOUT_S) for each in publishers] == [0, 0]
  assert list_versions(base) == list(range(1, 13))
  published = sorted(content_digest(base / str(v)) for v in range(1, 13))
  assert published == sorted(content_digest(m) for m in models)


_PUBLISH_FOR_EVER = """
import itertools, sys
from components.versioned_pusher.publish import publish
print("ready", flush=True)
for i in itertools.count():
  publish(sys.argv[1], sys.argv[2], source=f"{sys.argv[3]}/{i}")
"""


def test_killed_at_any_moment_every_visible_version_is_whole(tmp_path, write_model):
  model = write_model(tmp_path / "model")
  for i in range(8):
    (model / "variables" / f"part-{i}").write_bytes(random.Random(i).randbytes(400_000))
  whole, base = content_digest(model), tmp_path / "base"
  moments = random.Random(7)
  killed_inside = 0
  for attempt in range(25):
    command = [sys.executable, "-c", _PUBLISH_FOR_EVER, str(model), str(base), str(attempt)]
    with subprocess.Popen(
      command, stdout=subprocess.PIPE, cwd=_ROOT, env={**os.environ, "PYTHONPATH": str(_ROOT)}
    ) as process:
      assert process.stdout.readline() == b"ready\n"
      time.sleep(moments.uniform(0.0, 0.12))
      process.send_signal(signal.SIGKILL)
    killed_inside += bool(list(base.glob(".staging-*")))
    versions = list_versions(base)
    for version in versions:
      assert content_digest(base / str(version)) == whole
      assert version_record(base, version)["version"] == version
    for version in versions[:-1]:
      shutil.rmtree(base / str(version))
  assert killed_inside >= 3, "no kill landed inside a publication: the test showed nothing"
  last = max(list_versions(base), default=0)
  assert publish(model, base, source="afterwards") > last
  assert not list(base.glob(".staging-*"))


def test_a_retried_push_makes_no_second_version_where_all_was_moved(tmp_path, write_model):
  publish(write_model(tmp_path / "old" / "model"), tmp_path / "old" / "base")
  (tmp_path / "old").rename(tmp_path / "new")
  assert publish(tmp_path / "new" / "model", tmp_path / "new" / "base") == 1
  assert list_versions(tmp_path / "new" / "base") == [1]


def test_a_record_of_an_older_release_which_has_a_whole_path_is_the_same_push(
  tmp_path, write_model
):
  model, base = write_model(tmp_path / "model"), tmp_path / "base"
  publish(model, base)
  record = base / "1" / "dlpipe.json"
  record.write_text(json.dumps(json.loads(record.read_text()) | {"pushed_from": str(model)}))
  assert publish(model, base) == 1
  assert list_versions(base) == [1]
