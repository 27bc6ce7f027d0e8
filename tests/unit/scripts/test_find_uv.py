"""scripts/find-uv.sh: where uv comes from, on machines with pip and without."""

import pathlib
import shutil
import subprocess

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[3]
# What a fake uv's installer does: it honours the variable of the real one.
_INSTALLER = """printf '#!/bin/sh\\necho uv 0.13.9\\n' >"$UV_UNMANAGED_INSTALL/uv"
chmod +x "$UV_UNMANAGED_INSTALL/uv\""""


@pytest.fixture
def find(tmp_path):
  """Returns a function that runs the script where only some commands are there."""
  root, folder, log = tmp_path / "checkout", tmp_path / "bin", tmp_path / "log"
  for name in ("scripts", "pipeline/doctor", "constraints"):
    (root / name).mkdir(parents=True)
  for name in ("find-uv.sh", "worlds.sh"):
    shutil.copy(_ROOT / "scripts" / name, root / "scripts")
  (root / "constraints/uv.in").write_text("uv==0.13.9  # why\n")
  (root / "constraints/uv.txt").write_text("")
  folder.mkdir()
  for name in ("awk", "cat", "chmod", "cut", "dirname", "mkdir", "rm", "sed", "sh"):
    (folder / name).symlink_to(shutil.which(name))

  def run(commands, **environment):
    for name, body in commands.items():
      (folder / name).write_text(f"#!/bin/sh\n{body}\n")
      (folder / name).chmod(0o755)
    done = subprocess.run(
      [shutil.which("sh"), "scripts/find-uv.sh", "/nowhere/python"],
      cwd=root,
      env={"PATH": str(folder), "LOG": str(log), **environment},
      capture_output=True,
      text=True,
      timeout=300,
      check=False,
    )
    asked = log.read_text().splitlines() if log.exists() else []
    return done.returncode, done.stdout.strip(), done.stderr, asked

  run.root, run.folder = root, folder
  return run


_PIP = f"""case $* in
"-m pip --version") exit 0;;
"-m pip install"*) echo "$*" >>"$LOG";;
*) exit 1;;
esac
mkdir -p .tools/bin; UV_UNMANAGED_INSTALL=.tools/bin; {_INSTALLER}"""
_NO_PIP = "exit 1"
_CURL = f"""echo "$*" >>"$LOG"; cat <<'END'
{_INSTALLER}
END"""


@pytest.mark.parametrize("version", ["0.8.0", "0.13.9", "1.0.0"])
def test_a_recent_uv_on_the_path_is_taken(find, version):
  code, path, said, asked = find({"uv": f"echo uv {version}", "python3": _PIP, "curl": _CURL})
  assert (code, path, said, asked) == (0, str(find.folder / "uv"), "", [])


@pytest.mark.parametrize("uv", ["echo uv 0.7.19", "exit 1"])
def test_an_old_uv_is_not_and_pip_fetches_one_by_its_hashes(find, uv):
  code, path, said, asked = find({"uv": uv, "python3": _PIP, "curl": _CURL})
  assert (code, path) == (0, str(find.root / ".tools/bin/uv"))
  assert "Fetching uv into .tools" in said
  assert len(asked) == 1
  assert "--require-hashes --requirement constraints/uv.txt" in asked[0]


@pytest.mark.parametrize("pythons", [{}, {"python3": _NO_PIP}])
@pytest.mark.parametrize("getter", ["curl", "wget"])
def test_without_pip_its_own_installer_does_of_the_pinned_version(find, pythons, getter):
  code, path, said, asked = find({**pythons, getter: _CURL})
  assert (code, path) == (0, str(find.root / ".tools/bin/uv")), said
  assert "https://astral.sh/uv/0.13.9/install.sh" in said
  assert len(asked) == 1
  assert asked[0].endswith(" https://astral.sh/uv/0.13.9/install.sh")


def test_a_python_that_has_only_venv_takes_the_pip_of_an_environment(find):
  """As on Debian with python3-venv and without python3-pip."""
  venv = f"""case $* in "-m venv "*) ;; *) exit 1;; esac
mkdir -p "$3/bin"; cat >"$3/bin/python" <<'END'
#!/bin/sh
{_PIP}
END
chmod +x "$3/bin/python\""""
  code, path, said, asked = find({"python3": venv, "curl": _CURL})
  assert (code, path) == (0, str(find.root / ".tools/bin/uv")), said
  assert [line.split()[:3] for line in asked] == [["-m", "pip", "install"]]
  assert "--require-hashes" in asked[0]
  assert not (find.root / ".cache/with-pip").exists()


def test_what_was_fetched_before_is_taken(find):
  find({"curl": _CURL})
  code, _, said, asked = find({"curl": _CURL})
  assert (code, said, len(asked)) == (0, "", 1)


@pytest.mark.parametrize(
  ("commands", "environment"),
  [
    ({}, {}),
    ({"curl": "exit 6"}, {}),
    ({"curl": "echo exit 1"}, {}),
    ({"curl": _CURL}, {"UV_PYTHON_DOWNLOADS": "never"}),
  ],
)
def test_otherwise_it_says_what_is_missing(find, commands, environment):
  code, path, said, asked = find({"python3": _NO_PIP, **commands}, **environment)
  assert (code, path, asked) == (1, "", [])
  assert "Expected uv >= 0.8.0 on PATH, or a Python with pip or venv, or curl or wget" in said
  assert "apt-get install python3-pip" in said
