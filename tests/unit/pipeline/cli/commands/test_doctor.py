"""`dlpipe doctor`: what it prints, what it exits with, what it loads."""

import json
import resource
import subprocess
import sys

import pytest
from click.testing import CliRunner

from pipeline.cli.commands import doctor as module
from pipeline.cli.commands.doctor import doctor, render, summary
from pipeline.doctor.environment import Finding

OK = Finding(name="Python", state="ok", found="3.10.13, which goes with TFX 1.16")
WARNING = Finding(name="memory", state="warning", found="3.0 GiB available", remedy="Use --tiny.")
BROKEN = Finding(
  name="requirements",
  state="broken",
  found="5 of 27 not met: " + ", ".join(f"a-long-package-name-{i}>=1.2.3" for i in range(5)),
  remedy="make install, " * 9,
)


def test_lines_fit_80_columns_and_lose_no_word():
  lines = render(BROKEN)
  assert max(map(len, lines)) <= 80
  assert lines[0].startswith("broken   requirements     5 of 27 not met: a-long")
  words = " ".join(lines).replace("-> ", "").split()
  assert words == f"broken requirements {BROKEN.found} {BROKEN.remedy}".split()


def test_a_finding_without_remedy_is_one_line():
  assert render(OK) == ["ok       Python           3.10.13, which goes with TFX 1.16"]


@pytest.mark.parametrize(
  ("findings", "expected"),
  [
    ([OK], "Fine."),
    ([OK, WARNING], "Fine, with warnings: 1."),
    ([BROKEN, WARNING], "Broken: 1. Mend what is marked so first."),
  ],
)
def test_summary(findings, expected):
  assert summary(findings) == expected


@pytest.mark.parametrize(
  ("findings", "exit_code"), [([OK], 0), ([OK, WARNING], 0), ([OK, BROKEN], 1)]
)
def test_only_what_is_broken_fails(monkeypatch, tmp_path, findings, exit_code):
  monkeypatch.chdir(tmp_path)  # where no workspace is that a run of the README made
  monkeypatch.setattr(module, "judge", lambda facts: findings)
  text = CliRunner().invoke(doctor, [])
  assert text.exit_code == exit_code
  assert text.output.splitlines()[-1] == summary(findings)
  as_json = CliRunner().invoke(doctor, ["--json"])
  assert as_json.exit_code == exit_code
  answer = json.loads(as_json.output)
  assert answer["ok"] is (exit_code == 0)
  assert [check["state"] for check in answer["checks"]] == [f.state for f in findings]


def test_it_answers_in_a_second_and_loads_nothing_heavy(tmp_path):
  code = (
    "import sys; from pipeline.cli.commands.doctor import doctor\n"
    "try: doctor(sys.argv[1:])\n"
    "finally: print(sorted({m.split('.')[0] for m in sys.modules} & "
    "{'tensorflow', 'tfx', 'apache_beam', 'keras', 'numpy', 'pandas'}))"
  )
  command = [sys.executable, "-c", code, "--workspace", str(tmp_path)]
  before = resource.getrusage(resource.RUSAGE_CHILDREN)
  run = subprocess.run(command, capture_output=True, text=True)
  after = resource.getrusage(resource.RUSAGE_CHILDREN)
  cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
  assert run.returncode in (0, 1), run.stderr
  assert run.stdout.splitlines()[-1] == "[]"
  assert "Python" in run.stdout
  assert cpu_s < 2.0  # measured 0.5; the promise is 1.0 on an idle machine
