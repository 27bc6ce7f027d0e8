"""scripts/mutants.py: an edit is noticed or not, a list that does not fit is refused."""

import pathlib
import shutil
import subprocess
import sys

import pytest
import yaml

_ROOT = pathlib.Path(__file__).resolve().parents[3]
_SCRIPT = "scripts/mutants.py"
_LIST = "scripts/mutant_list.py"
_SOURCE = '"""Sums."""\n\n\ndef add(a, b):\n  return a + b\n\n\ndef scale(a):\n  return a * 2\n'
_TESTS = "from ham.sums import add, scale\n\n\ndef test_add():\n  assert add(2, 3) == 5\n"
_TESTS += "\n\ndef test_scale():\n  assert scale(2) == 4\n"
_MINUS = {"old": "a + b", "new": "a - b"}
_POWER = {"old": "a * 2", "new": "a ** 2"}


def test_every_edit_of_the_list_still_fits_the_sources():
  found = subprocess.run(
    [sys.executable, _ROOT / _SCRIPT, "--check"], capture_output=True, text=True, timeout=300
  )
  assert (found.returncode, found.stderr) == (0, "")


@pytest.fixture
def mutants(tmp_path):
  """Returns a function that tries edits of a small package; the exit code and what it says."""
  root = tmp_path / "root"
  for name, text in {"ham/__init__.py": "", "ham/sums.py": _SOURCE, "test_sums.py": _TESTS}.items():
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
  (root / "scripts").mkdir()
  for name in (_SCRIPT, _LIST):
    shutil.copy(_ROOT / name, root / name)
  subprocess.run(["git", "init", "-q"], cwd=root, check=True)

  def run(*options, tests=("test_sums.py",), **edits):
    groups = [{"file": "ham/sums.py", "tests": list(tests), "edits": edits}]
    (root / "tests" / "mutants").mkdir(parents=True, exist_ok=True)
    (root / "tests" / "mutants" / "sums.yaml").write_text(yaml.safe_dump(groups))
    command = [sys.executable, root / _SCRIPT, "--cold", *options]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (root / "ham" / "sums.py").read_text() == _SOURCE
    return found.returncode, found.stdout + found.stderr

  return run


def test_an_edit_that_a_test_notices_is_named_with_the_test(mutants):
  code, said = mutants(minus=_MINUS)
  assert "noticed  sums/minus" in said
  assert "test_sums.py::test_add" in said
  assert "1 edits: 1 noticed, 0 not" in said
  assert code == 0


def test_an_edit_that_no_test_notices_fails_and_is_shown(mutants):
  code, said = mutants(minus=_MINUS, power=_POWER)
  assert "SURVIVED sums/power" in said
  assert "No test notices sums/power. In ham/sums.py:\n- a * 2\n+ a ** 2" in said
  assert "2 edits: 1 noticed, 1 not" in said
  assert code == 1


def test_a_reason_lets_an_edit_survive_where_few_do(mutants):
  excused = {"power": {**_POWER, "survives": "the same for 2"}}
  code, said = mutants(**excused)
  assert "1 of 1 edits survive: more than 5%." in said
  assert code == 1
  many = {f"minus-{number}": _MINUS for number in range(19)}
  assert mutants("-k", "power", **many, **excused)[0] == 0


def test_a_reason_of_an_edit_that_is_noticed_is_refused(mutants):
  code, said = mutants(minus={**_MINUS, "survives": "nobody knows"})
  assert "sums/minus is noticed, though the list says that it survives: nobody knows" in said
  assert code == 1


@pytest.mark.parametrize(
  ("edit", "message"),
  [
    ({"old": "a / b", "new": "a"}, "stands there 0 times, not once:\na / b"),
    ({"old": "def ", "new": "  def "}, "stands there 2 times, not once"),
    ({"old": "a + b", "new": "a + b"}, "says the same as before"),
    ({"old": "a + b", "new": "a +"}, "the edited ham/sums.py is no Python"),
    ({**_MINUS, "tests": ["test_none.py::test_a"]}, "sums/minus: there is no test_none.py::test_a"),
    ({**_MINUS, "tests": []}, "sums/minus: it names no test"),
  ],
)
def test_an_edit_that_does_not_fit_is_an_error(mutants, edit, message):
  for options in ((), ("--check",)):
    code, said = mutants(*options, minus=edit)
    assert message in said
    assert code == 2


def test_tests_that_fail_or_are_not_there_without_an_edit_are_an_error(mutants):
  for test in ("test_sums.py::test_none", "ham/sums.py"):
    code, said = mutants(minus=_MINUS, tests=[test])
    assert f"{test} fails without an edit" in said
    assert code == 2


def test_tests_that_do_not_import_what_is_edited_are_an_error(mutants, tmp_path):
  (tmp_path / "root" / "test_other.py").write_text("def test_nothing():\n  assert 1\n")
  code, said = mutants(minus=_MINUS, tests=["test_other.py"])
  assert "test_other.py pass where ham/sums.py cannot be imported" in said
  assert code == 2


def test_a_choice_of_none_is_an_error(mutants):
  assert mutants("-k", "plus", minus=_MINUS) == (2, "No edit has an id that 'plus' finds.\n")
