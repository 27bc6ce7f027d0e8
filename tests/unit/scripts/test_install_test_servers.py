"""scripts/install-test-servers.sh: asks apt for what is missing, and never fails."""

import pathlib
import shutil
import subprocess

import pytest

_SCRIPT = pathlib.Path(__file__).resolve().parents[3] / "scripts" / "install-test-servers.sh"
_PACKAGES = {
  "chromium": "chromium",
  "curl": "curl",
  "pg_ctlcluster": "postgresql",
  "mariadb-install-db": "mariadb-server",
}
_ALL = " ".join(_PACKAGES.values())


@pytest.fixture
def run(tmp_path):
  """Returns a function that runs the script where only some commands are there."""
  log = tmp_path / "apt.log"

  def done(commands, *, user=0):
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("env", "timeout"):
      (folder / name).symlink_to(shutil.which(name))
    for name, body in {"id": f"echo {user}", **commands}.items():
      (folder / name).write_text(f"#!/bin/sh\n{body}\n")
      (folder / name).chmod(0o755)
    result = subprocess.run(
      [shutil.which("sh"), str(_SCRIPT)],
      env={"PATH": str(folder), "LOG": str(log)},
      capture_output=True,
      text=True,
      timeout=120,
      check=False,
    )
    calls = log.read_text().splitlines() if log.exists() else []
    return result.returncode, result.stdout, [line.split()[5:] for line in calls]

  return done


_APT = 'echo "$@" >> "$LOG"'


def test_nothing_is_installed_where_all_is_there(run):
  assert run({"apt-get": _APT, **dict.fromkeys(_PACKAGES, "true")}) == (0, "", [])


def test_what_is_missing_is_installed(run):
  there = dict.fromkeys(set(_PACKAGES) - {"chromium"}, "true")
  code, said, calls = run({"apt-get": _APT, **there})
  assert (code, said) == (0, "Installing: chromium\n")
  assert calls == [["update"], ["install", "-y", "--no-install-recommends", "chromium"]]


def test_one_package_that_is_not_there_keeps_no_other_away(run):
  apt = f'{_APT}; case "$*" in *chromium*|*update*) exit 100;; esac'
  code, said, calls = run({"apt-get": apt})
  assert code == 0
  assert [call[-1] for call in calls] == ["update", *_PACKAGES.values()]
  assert "Not installed: chromium (apt-get install failed)." in said


@pytest.mark.parametrize(
  ("commands", "user", "reason"),
  [
    ({}, 0, "there is no apt-get"),
    ({"apt-get": _APT}, 1000, "neither root nor sudo without a password"),
    ({"apt-get": _APT, "sudo": "exit 1"}, 1000, "neither root nor sudo without a password"),
  ],
)
def test_without_apt_or_rights_the_tests_go_on_without(run, commands, user, reason):
  code, said, calls = run(commands, user=user)
  assert (code, calls) == (0, [])
  assert said == f"Not installed: {_ALL} ({reason}). The tests that need them are skipped.\n"


def test_sudo_is_used_where_it_asks_nothing(run):
  there = dict.fromkeys(set(_PACKAGES) - {"chromium"}, "true")
  sudo = {"sudo": 'shift; exec "$@"', "true": "exit 0"}
  code, _, calls = run({"apt-get": _APT, **there, **sudo}, user=1000)
  assert code == 0
  assert [call[-1] for call in calls] == ["update", "chromium"]
