"""A command gets the run on its standard input; what becomes of it is said."""

import json
import shlex
import sys
import tracemalloc

import pytest

from pipeline.announcing import command
from pipeline.announcing.notices import NotToldError, notice_of


def _run(record, script, *arguments, timeout_s=300.0):
  words = shlex.join([sys.executable, "-c", script, *map(str, arguments)])
  command.run(notice_of(record().result), words, timeout_s=timeout_s)


def test_it_gets_the_json_and_its_arguments_as_they_are(record, tmp_path):
  target = tmp_path / "got it; $HOME.json"
  _run(record, "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())", target)
  assert json.loads(target.read_text())["run"]["pushed_version"] == 7


@pytest.mark.parametrize(
  ("script", "message"),
  [
    ('import sys; sys.exit("no such channel")', "it ended with 1: no such channel"),
    ("import sys; sys.exit(3)", "it ended with 3"),
  ],
)
def test_a_command_that_fails_is_quoted(record, script, message):
  with pytest.raises(NotToldError) as failed:
    _run(record, script)
  assert str(failed.value) == message


def test_of_what_it_writes_the_end_is_kept(record):
  """Kept whole, what `yes` writes would fill the memory until its time is over."""
  script = "import sys; sys.stdout.write('y' * 100_000_000 + ' no such channel'); sys.exit(3)"
  tracemalloc.start()
  try:
    with pytest.raises(NotToldError, match=r"^it ended with 3: y+ no such channel$"):
      _run(record, script)
    _, most = tracemalloc.get_traced_memory()
  finally:
    tracemalloc.stop()
  assert most < 20_000_000


def test_one_that_reads_nothing_is_none_that_fails(record):
  _run(record, "pass")


def test_one_that_hangs_is_ended_with_what_it_started(record):
  script = "import subprocess; subprocess.run(['sleep', '600'])"
  with pytest.raises(NotToldError, match=r"it took more than 0\.2 seconds and was ended"):
    _run(record, script, timeout_s=0.2)


@pytest.fixture
def left_behind(tmp_path):
  """A command that leaves a program behind, which holds its output open; and what it makes then."""
  go, ended = tmp_path / "go", tmp_path / "ended"
  wait = f"for i in $(seq 600); do [ -e {go} ] && exit; sleep 0.5; done; touch {ended}"
  yield f"setsid sh -c '{wait}' &", ended
  go.touch()


def test_one_that_leaves_a_program_behind_has_told(record, left_behind):
  leave, ended = left_behind
  words = shlex.join(["sh", "-c", f"{leave} exit 0"])
  command.run(notice_of(record().result), words, timeout_s=20.0)
  assert not ended.exists()


def test_who_left_the_group_of_one_that_hangs_is_not_waited_for(record, left_behind):
  leave, ended = left_behind
  words = shlex.join(["sh", "-c", f"{leave} sleep 60"])
  with pytest.raises(NotToldError, match="it took more than 1 seconds and was ended"):
    command.run(notice_of(record().result), words, timeout_s=1.0)
  assert not ended.exists()


def test_a_program_that_is_not_there(record):
  with pytest.raises(NotToldError, match="it cannot be started: No such file or directory"):
    command.run(notice_of(record().result), "/nowhere/tell", timeout_s=1.0)
