"""scripts/choose-python.sh: which Python is taken, what is said of it, and when uv fetches one."""

import pathlib
import shutil
import subprocess

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[3]


class Machine:
  """A copy of the scripts, and a PATH on which only stubs stand for the system and for Pythons."""

  def __init__(self, folder):
    self.root = folder / "checkout"
    for name in ("scripts", "pipeline/doctor", "constraints"):
      (self.root / name).mkdir(parents=True)
    for path in (*(_ROOT / "scripts").glob("*.sh"), _ROOT / "pipeline/doctor/worlds.txt"):
      shutil.copy(path, self.root / path.relative_to(_ROOT))
    shutil.copy(_ROOT / "constraints/uv.in", self.root / "constraints")
    self.home = folder / "home"
    self.bin = folder / "bin"
    self.bin.mkdir()
    self.home.mkdir()
    self.log = folder / "log"
    for name in ("awk", "cat", "cut", "dirname", "env", "grep", "mkdir", "sed", "sh", "tr"):
      (self.bin / name).symlink_to(shutil.which(name))
    self.system("Linux x86_64", "2.41")
    self.command("uv", 'echo "uv 0.13.9"')

  def command(self, name, body):
    path = self.bin / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)

  def system(self, system, glibc):
    name, machine = system.split()
    self.command(
      "uname", f'case $1 in -s) echo {name};; -m) echo {machine};; *) echo "{system}";; esac'
    )
    self.command("getconf", f"echo glibc {glibc}" if glibc else "exit 1")

  def python(self, version, *, folder=None, headers=True, name=None):
    """A Python that answers the two questions of the scripts as the real one would."""
    folder = folder or self.bin
    folder.mkdir(parents=True, exist_ok=True)
    minor = version.rpartition(".")[0]
    path = folder / (name or f"python{minor}")
    path.write_text(f"""#!/bin/sh
[ "$1" = -c ] || exit 1
[ $# -gt 2 ] || {{ echo {version}; exit 0; }}
[ "$3" = {minor} ] || exit 1
echo "$0"
[ -z "$5" ] || {"true" if headers else "exit 3"}
""")
    path.chmod(0o755)
    return path

  def uv_fetches(self, version, body="true"):
    """A uv that logs what it is asked, and has a Python once it installed one."""
    fetched = self.python(version, folder=self.home / "fetched")
    self.command(
      "uv",
      f"""case $* in
--version) echo "uv 0.13.9";;
"python install"*) echo "$*" >>{self.log}; {body};;
"python find"*) echo {fetched};;
esac""",
    )
    return fetched

  def choose(self, **environment):
    """Returns the exit code, the path that is printed, and what is said."""
    done = subprocess.run(
      [shutil.which("sh"), "scripts/choose-python.sh"],
      cwd=self.root,
      env={"PATH": str(self.bin), "HOME": str(self.home), **environment},
      capture_output=True,
      text=True,
      timeout=300,
      check=False,
    )
    return done.returncode, done.stdout.strip(), done.stderr

  @property
  def fetched(self):
    return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path):
  return Machine(tmp_path)


def test_the_newest_python_is_taken_where_it_can_be_loaded(machine):
  pythons = {version: machine.python(version) for version in ("3.10.13", "3.12.1", "3.13.5")}
  machine.python("3.14.0")
  assert machine.choose() == (
    0,
    str(pythons["3.13.5"]),
    "Python 3.13.5 with TFX 1.21: the newest that this machine can load.\n",
  )


@pytest.mark.parametrize("glibc", ["2.28", "2.36", "2.38"])
def test_an_older_glibc_takes_the_older_world_and_says_why(machine, glibc):
  machine.system("Linux x86_64", glibc)
  old = machine.python("3.10.13")
  machine.python("3.13.5")
  code, path, said = machine.choose()
  assert (code, path) == (0, str(old))
  assert f"with TFX 1.16: TFX 1.21 needs glibc >= 2.39; this machine has {glibc}.\n" in said
  assert "past its end of life; dlpipe keeps it until 20" in said


@pytest.mark.parametrize("glibc", ["2.39", "2.100", "3.0"])
def test_versions_of_glibc_are_compared_as_numbers(machine, glibc):
  machine.system("Linux x86_64", glibc)
  new = machine.python("3.11.7")
  machine.python("3.10.13")
  code, path, said = machine.choose()
  assert (code, path) == (0, str(new))
  assert said == "Python 3.11.7 with TFX 1.21: found no Python 3.13 or 3.12.\n"


def test_apple_silicon_is_taken_and_said_to_be_untried(machine):
  machine.system("Darwin arm64", None)
  machine.python("3.10.13")
  new = machine.python("3.12.1")
  code, path, said = machine.choose()
  assert (code, path) == (0, str(new))
  assert "nobody has tried dlpipe there yet" in said


@pytest.mark.parametrize(
  ("system", "glibc", "reason"),
  [
    ("Linux x86_64", None, "needs glibc >= 2.39; this machine has another C library"),
    ("Linux x86_64", "2.17", "needs glibc >= 2.39; this machine has 2.17"),
    ("Linux aarch64", "2.41", "TFX has no wheels for Linux aarch64"),
    ("Darwin x86_64", None, "TFX has no wheels for Darwin x86_64"),
  ],
)
def test_other_machines_are_refused_before_anything_is_fetched(machine, system, glibc, reason):
  machine.system(system, glibc)
  machine.python("3.10.13")
  machine.uv_fetches("3.13.5")
  code, path, said = machine.choose()
  assert (code, path, machine.fetched) == (1, "", [])
  assert reason in said
  assert "use a container" in said


@pytest.mark.parametrize("given", ["3.12", "python3.12"])
def test_a_python_that_is_asked_for_is_taken(machine, given):
  wanted = machine.python("3.12.1")
  machine.python("3.13.5")
  code, path, said = machine.choose(DLPIPE_PYTHON=given)
  assert code == 0
  assert path in (str(wanted), given)
  assert said == f"Python 3.12.1 with TFX 1.21: PYTHON={given} says so.\n"


@pytest.mark.parametrize(
  ("given", "words"),
  [
    ("3.9", "Expected Python 3.13, 3.12, 3.11 or 3.10. Received: PYTHON=3.9"),
    ("python3.14", "Received: PYTHON=python3.14, which is 3.14.0."),
    ("nothing", "Expected a Python interpreter, or 3.13, 3.12, 3.11 or 3.10."),
    ("3.12", "Python 3.12 cannot be used here: TFX 1.21 needs glibc >= 2.39"),
    ("python3.13", "Python 3.13.5 cannot be used here: TFX 1.21 needs glibc >= 2.39"),
  ],
)
def test_a_python_that_cannot_be_used_is_refused(machine, given, words):
  machine.system("Linux x86_64", "2.36")
  for version in ("3.10.13", "3.12.1", "3.13.5", "3.14.0"):
    machine.python(version)
  machine.uv_fetches("3.12.9")
  code, path, said = machine.choose(DLPIPE_PYTHON=given)
  assert (code, path, machine.fetched) == (1, "", [])
  assert words in said


@pytest.mark.parametrize(
  "folder",
  [".pyenv/versions/3.12.1/bin", ".local/share/uv/python/cpython-3.12.1-linux-x86_64-gnu/bin"],
)
def test_pythons_beside_the_path_are_found(machine, folder):
  machine.command("python3.12", "echo pyenv: version not installed >&2; exit 127")  # a shim
  wanted = machine.python("3.12.1", folder=machine.home / folder)
  assert machine.choose()[:2] == (0, str(wanted))


def test_a_python_without_headers_is_passed_over(machine):
  bare = machine.python("3.13.5", headers=False)
  whole = machine.python("3.12.1")
  code, path, said = machine.choose()
  assert (code, path) == (0, str(whole))
  assert f"{bare} is passed over: it has no headers" in said
  assert "apt-get install python3.13-dev" in said


@pytest.mark.parametrize("there", [(), ("3.9.18", "3.14.0")])
@pytest.mark.parametrize(("glibc", "version"), [("2.41", "3.13.7"), ("2.36", "3.10.19")])
def test_where_no_python_fits_uv_fetches_one_aloud(machine, there, glibc, version):
  machine.system("Linux x86_64", glibc)
  for each in there:
    machine.python(each, name="python3")
  minor = version.rpartition(".")[0]
  wanted = machine.uv_fetches(version)
  code, path, said = machine.choose()
  assert (code, path) == (0, str(wanted))
  assert machine.fetched == [f"python install {minor}"]
  assert f"uv fetches Python {minor} (UV_PYTHON_DOWNLOADS=never forbids it)" in said
  assert f"Python {version} with TFX" in said


def test_uv_fetches_the_version_that_is_asked_for(machine):
  machine.python("3.13.5")
  wanted = machine.uv_fetches("3.11.9")
  assert machine.choose(DLPIPE_PYTHON="3.11")[:2] == (0, str(wanted))
  assert machine.fetched == ["python install 3.11"]


def test_nothing_is_fetched_where_a_python_fits(machine):
  machine.python("3.10.13")
  machine.uv_fetches("3.13.7")
  code, _, said = machine.choose()
  assert (code, machine.fetched) == (0, [])
  assert "found no Python 3.13, 3.12 or 3.11" in said


@pytest.mark.parametrize("value", ["never", "manual", "false"])
def test_the_variable_forbids_it(machine, value):
  machine.uv_fetches("3.13.7")
  code, path, said = machine.choose(UV_PYTHON_DOWNLOADS=value)
  assert (code, path, machine.fetched) == (1, "", [])
  assert "Expected Python 3.13, 3.12, 3.11 or 3.10, with its headers" in said
  assert f"UV_PYTHON_DOWNLOADS={value} keeps uv from fetching one" in said


def test_a_download_that_fails_says_what_to_do(machine):
  machine.uv_fetches("3.13.7", body="echo error: Connect >&2; exit 1")
  code, path, said = machine.choose()
  assert (code, path) == (1, "")
  assert "error: Connect" in said
  assert "Install Python 3.13, 3.12, 3.11 or 3.10 by other means" in said
  assert "Traceback" not in said
