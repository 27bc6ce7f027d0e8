"""A workspace that is walked through a changing world, and all that can be asked of it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

_REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
_COLORS = {
  "red": (200, 30, 30),
  "green": (30, 200, 30),
  "blue": (30, 30, 200),
  "white": (230, 230, 230),
}
_EACH = 20
# Enough steps to tell plain colors apart; one mislabelled picture is no regression to speak of.
_SETTINGS = ("train.epochs=16", "train.batch_size=8", "gates.accuracy.max_regression=1")
_OF_WORKSPACES = {"served versions", "metadata store", "artifacts", "checkpoints", "leftovers"}
# For the log, the report and the store of a run, and not for a version, which has 0.7 MB.
_ROOM_KB = 400
# In a file system of its own with this much room: the workspace in $1, dlpipe's command after it.
# Then room is made, and the workspace copied back.
_ON_A_FULL_DISK = """
set -e
from=$1 disk=$2 room_kb=$3; shift 3
mount -t tmpfs -o size=1g tmpfs "$disk"
cp -a "$from/." "$disk/"
used_kb=$(df -k --output=used "$disk" | tail -n 1)  # not what it takes up in $from
mount -o remount,size=$((used_kb + room_kb))k "$disk"
"$@" && code=0 || code=$?
mount -o remount,size=1g "$disk"
rm -rf "$from"
cp -a "$disk" "$from"
exit $code
"""


class Pictures:
  """Class folders of plain pictures, each a little different."""

  def __init__(self, root: pathlib.Path):
    self.root = root
    self._count = 0

  def add(self, label: str, count: int = _EACH) -> None:
    (self.root / label).mkdir(parents=True, exist_ok=True)
    for number in range(count):
      self.write(self.root / label / f"{number:02d}.png", _COLORS[label])

  def write(self, path: pathlib.Path, color: Sequence[int]) -> None:
    """Writes a picture of which there is no other."""
    from PIL import Image

    self._count += 1
    picture = Image.new("RGB", (8, 8), tuple(color))
    picture.putpixel((self._count % 8, self._count // 8 % 8), (self._count % 251, 0, 0))
    picture.save(path, "PNG")

  def move(self, name: str, to: str) -> None:
    (self.root / name).rename(self.root / to)

  def remove(self, label: str) -> None:
    shutil.rmtree(self.root / label)

  @contextlib.contextmanager
  def edited(self, label: str, color: Sequence[int]) -> Iterator[Callable[[Any], None]]:
    """Yields what begins to write over a class' pictures; until the block ends they are."""
    done = threading.Event()

    def edit() -> None:
      while not done.is_set():
        for path in sorted((self.root / label).glob("*.png")):
          self.write(path, color)

    writer = threading.Thread(target=edit)
    try:
      yield lambda _: writer.start()
    finally:
      done.set()
      writer.join()

  def labelled(self) -> list[tuple[str, bytes]]:
    return sorted((path.parent.name, path.read_bytes()) for path in self.root.glob("*/*.png"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ended:
  """A command that ended, by itself or killed."""

  code: int
  stdout: str
  stderr: str

  @property
  def result(self) -> dict[str, Any]:
    return json.loads(self.stdout.splitlines()[-1])

  def states(self) -> dict[str, str]:
    return {c["id"]: c["state"] for c in self.result["components"]}


class Walk:
  """A workspace, what is read into it, and what is known of its versions."""

  def __init__(self, place: pathlib.Path):
    self.workspace = place / "workspace"
    self.pictures = Pictures(place / "pictures")
    self.temporary = place / "tmp"
    self.temporary.mkdir()
    self._labels: dict[str, set[str]] = {}  # by the digest of a version's files

  @property
  def root(self) -> pathlib.Path:
    return self.workspace / "images"

  def run(
    self,
    *,
    when: str | None = None,
    then: Callable[[subprocess.Popen[str]], None] = subprocess.Popen.kill,
    killed_at: str | None = None,
    around: Sequence[str] = (),
    workspace: pathlib.Path | None = None,
  ) -> Ended:
    """Runs the pipeline.

    Args:
      when: as soon as a line of the screen matches, `then` is done, once.
      then: takes the process.
      killed_at: a later line at which the run is killed.
      around: what the command is started by.
      workspace: another one.
    """
    command = [*around, sys.executable, "-m", "pipeline.cli.main", "run", "images", "--tiny"]
    command += ["--data", str(self.pictures.root), "--json"]
    command += ["--workspace", str(workspace or self.workspace)]
    command += [part for setting in _SETTINGS for part in ("--set", setting)]
    environment = {**os.environ, "PYTHONPATH": str(_REPOSITORY), "TMPDIR": str(self.temporary)}
    with subprocess.Popen(
      command,
      cwd=_REPOSITORY,
      env=environment,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    ) as process:
      assert process.stderr is not None
      lines = []
      for line in process.stderr:
        lines.append(line)
        if when is not None and re.search(when, line):
          when = None
          then(process)
        elif when is None and killed_at is not None and re.search(killed_at, line):
          process.kill()
      assert process.stdout is not None
      stdout = process.stdout.read()
    assert when is None, f"no line matched {when!r}:\n{''.join(lines)}"
    return Ended(code=process.returncode, stdout=stdout, stderr="".join(lines))

  def run_on_a_full_disk(self, namespace: Sequence[str], disk: pathlib.Path) -> Ended:
    """Runs in a copy of the workspace with no room for one more version; takes what came of it."""
    disk.mkdir()
    place = (str(self.workspace), str(disk), str(_ROOM_KB))
    ended = self.run(around=[*namespace, "sh", "-c", _ON_A_FULL_DISK, "sh", *place], workspace=disk)
    here = {"stdout": ended.stdout.replace(str(disk), str(self.workspace))}
    return dataclasses.replace(ended, **here)

  def ask(self, *arguments: str) -> Any:
    """The JSON that another command prints; in this process, which has imported TFX already."""
    from click.testing import CliRunner

    from pipeline.cli.main import cli

    done = CliRunner().invoke(cli, [*arguments, "--workspace", str(self.workspace), "--json"])
    assert done.stdout, (arguments, done.exception, done.stderr)
    return json.loads(done.stdout.splitlines()[-1])

  def check(
    self,
    ended: Ended,
    *,
    versions: Sequence[int],
    code: int = 0,
    state: str | None = None,
    says: str | None = None,
    doctor: Sequence[str] = (),
    damaged: Sequence[int] = (),
  ) -> None:
    """Asks everybody.

    Args:
      ended: what the run came to.
      versions: that are there.
      code: the exit code.
      state: of the run; None where it was killed.
      says: what the screen says, white space aside.
      doctor: `name: state` of each of its findings in the workspace that is not ok.
      damaged: versions whose files the walk has damaged.
    """
    screen = " ".join((ended.stdout + ended.stderr).split())
    assert ended.code == code, screen[-3000:]
    assert "Traceback" not in screen
    if says is not None:
      assert re.search(says, screen), screen[-3000:]
    newest = self.ask("runs", "list", "images")["runs"][0]
    if state is None:
      assert ended.stdout == ""
      assert newest["state"] == "unfinished"
    else:
      result = ended.result
      assert result["state"] == state, screen[-3000:]
      if result["components"]:
        said = {name: newest[name] for name in ("run_id", "state", "pushed_version")}
        assert said == {name: result[name] for name in said}
      assert result["report"] is None or pathlib.Path(result["report"]).is_file()
      if code != 0:
        self._check_sentence(result["error"], screen)
      else:
        assert result["pushed_version"] == versions[-1]
        assert self.read(result["run_id"]) == self.pictures.labelled()
    self.check_served(versions, damaged)
    assert self.findings() == sorted(doctor)

  def _check_sentence(self, error: str, screen: str) -> None:
    sentence, newline, log = error.partition("\n")  # a server's log may follow
    assert not newline or log.strip(), error
    assert " ".join(sentence.split()) in screen
    assert "not foreseen" not in error

  def check_served(self, versions: Sequence[int], damaged: Sequence[int] = ()) -> None:
    """Loads every version but the damaged ones, and asks `status`."""
    import tensorflow as tf

    from components.versioned_pusher.version_folders import (
      is_whole,
      list_versions,
      version_record,
    )

    serving = self.root / "serving"
    [facts] = self.ask("status", "images")["tasks"]
    assert (
      list_versions(serving) == list(versions) == [v["version"] for v in facts["versions"]][::-1]
    )
    assert facts["served"]["version"] == versions[-1]
    for version in versions:
      is_damaged = version in damaged
      assert is_whole(serving, version) is not is_damaged
      digest = version_record(serving, version)["sha256"]
      if is_damaged:
        continue
      new = digest not in self._labels
      # Each is loaded again only where it is the newest, or new.
      if not new and version != versions[-1]:
        continue
      asked = self.pictures.labelled()[:: _EACH // 4] if new else []
      model = tf.saved_model.load(str(serving / str(version)))
      answer = model.signatures["serving_default"](
        image=tf.constant([data for _, data in asked] or [self.pictures.labelled()[0][1]])
      )
      labels = {label.decode() for label in answer["labels"].numpy()[0]}
      given = [label.decode() for label in answer["label"].numpy()]
      assert set(given) <= labels
      if new:
        self._labels[digest] = labels
        right = sum(one == label for one, (label, _) in zip(given, asked, strict=True))
        assert right > len(asked) / 2, given
      assert labels == self._labels[digest]

  def labels(self, version: int) -> set[str]:
    """Those that a version answers with."""
    from components.versioned_pusher.version_folders import version_record

    return self._labels[version_record(self.root / "serving", version)["sha256"]]

  def findings(self) -> list[str]:
    """What `doctor` finds wrong in the workspace."""
    found = [check for check in self.ask("doctor")["checks"] if check["name"] in _OF_WORKSPACES]
    assert found
    wrong = [check for check in found if check["state"] != "ok"]
    assert all(check["remedy"] for check in wrong)
    return sorted(f"{check['name']}: {check['state']}" for check in wrong)

  def read(self, run_id: str) -> list[tuple[str, bytes]]:
    """Label and bytes of all that a run has read."""
    import tensorflow as tf

    nodes = {node["id"]: node for node in self.ask("runs", "show", run_id)["nodes"]}
    examples = pathlib.Path(nodes["SourceExampleGen"]["outputs"]["examples"])
    assert examples.is_relative_to(self.root)
    found = []
    files = [str(path) for path in examples.glob("*/*.gz")]
    for row in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
      feature = tf.train.Example.FromString(row).features.feature
      found.append(
        (
          feature["label"].bytes_list.value[0].decode(),
          feature["image"].bytes_list.value[0],
        )
      )
    return sorted(found)


@pytest.fixture
def walk(tmp_path, monkeypatch):
  walk = Walk(tmp_path)
  monkeypatch.setattr(tempfile, "tempdir", str(walk.temporary))
  for label in ("red", "green", "blue"):
    walk.pictures.add(label)
  return walk
