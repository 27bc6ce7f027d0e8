"""The script that copies versions from an object store, with an rclone that is a shell script."""

import pathlib
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).parents[3] / "deploy/kubernetes/object-store/sync-versions.sh"
RCLONE = """#!/bin/sh
[ -e "$STORE/down" ] && exit 1
path=$STORE/${2#store:}
case "$1 $2" in
  "lsf --dirs-only") cd "$STORE/${3#store:}" && ls -p | grep / ;;
  "lsf --files-only") cd "$STORE/${3#store:}" && ls -p | grep -v / ;;
  "copy "*) cp -r "$path" "$3" ;;
  *) exit 3 ;;
esac
true
"""


@pytest.fixture
def store(tmp_path):
  (tmp_path / "bin").mkdir()
  (tmp_path / "bin" / "rclone").write_text(RCLONE)
  (tmp_path / "bin" / "rclone").chmod(0o755)
  (tmp_path / "store" / "m").mkdir(parents=True)
  (tmp_path / "target").mkdir()
  return tmp_path


def upload(store, version, *, whole=True):
  folder = store / "store" / "m" / version
  folder.mkdir()
  (folder / "saved_model.pb").write_text(version)
  if whole:
    (folder / "UPLOADED").write_text("")


def sync(store, mode="once", **more):
  return subprocess.run(
    ["sh", SCRIPT, mode],
    env={
      "PATH": f"{store / 'bin'}:/usr/bin:/bin",
      "STORE": str(store / "store"),
      "SOURCE": "store:m",
      "TARGET": str(store / "target"),
      "INTERVAL_S": "0.05",
      **more,
    },
    capture_output=True,
    text=True,
    timeout=600,
  )


def here(store):
  return sorted(path.name for path in (store / "target").iterdir())


def test_whole_versions_are_copied(store):
  for version in ("2", "10", "notes"):
    upload(store, version)
  upload(store, "11", whole=False)
  ran = sync(store)
  assert ran.returncode == 0, ran.stderr
  assert ran.stdout.splitlines() == ["Version 2 is here.", "Version 10 is here."]
  assert here(store) == ["10", "2"]
  assert (store / "target" / "10" / "saved_model.pb").read_text() == "10"


def test_what_was_copied_is_not_copied_again(store):
  upload(store, "1")
  sync(store)
  (store / "target" / "1" / "saved_model.pb").write_text("mine")
  assert sync(store).stdout == ""
  assert (store / "target" / "1" / "saved_model.pb").read_text() == "mine"


def test_what_a_killed_copy_left_is_replaced(store):
  upload(store, "1")
  (store / "target" / ".incoming").mkdir()
  (store / "target" / ".incoming" / "half").write_text("")
  sync(store)
  assert here(store) == ["1"]
  assert sorted(path.name for path in (store / "target" / "1").iterdir()) == [
    "UPLOADED",
    "saved_model.pb",
  ]


def test_versions_that_are_gone_go_but_not_the_newest(store):
  for version in ("1", "2", "3"):
    upload(store, version)
  sync(store)
  for version in ("1", "3"):
    (store / "store" / "m" / version).rename(store / version)
  assert sync(store).stdout == "Version 1 is gone from the store.\n"
  assert here(store) == ["2", "3"]


def test_a_store_that_cannot_be_read_takes_nothing_away(store):
  for version in ("1", "2"):
    upload(store, version)
  sync(store)
  (store / "store" / "down").write_text("")
  with subprocess.Popen(
    ["sh", SCRIPT, "loop"],
    env={
      "PATH": f"{store / 'bin'}:/usr/bin:/bin",
      "STORE": str(store / "store"),
      "SOURCE": "store:m",
      "TARGET": str(store / "target"),
      "INTERVAL_S": "0.05",
    },
    stdout=subprocess.PIPE,
    text=True,
  ) as looping:
    said = [looping.stdout.readline() for _ in range(2)]
    looping.kill()
  assert said == ["The store cannot be read; what is here stays.\n"] * 2
  assert here(store) == ["1", "2"]


def test_a_mode_that_is_none(store):
  ran = sync(store, mode="")
  assert (ran.returncode, ran.stderr) == (2, "Expected once or loop. Received: nothing.\n")
