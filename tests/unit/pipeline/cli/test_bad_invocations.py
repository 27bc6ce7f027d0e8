"""Whatever a command is given, it answers with a message and a code that is documented."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[4]

# Runs each invocation in a child of a process that has imported the command line once, without the
# right that root has to read any file.
_SCRIPT = """
import ctypes, gc, importlib, json, os, signal, sys, tempfile
from pipeline.cli.main import _COMMANDS, _load, main
from pipeline.tasks import get_task, task_names

for name in _COMMANDS:
  _load(name)
for name in task_names():
  get_task(name)

def run(args):
  ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())
  signal.alarm(60)
  os.close(0)
  os.open(os.devnull, os.O_RDONLY)
  try:
    main(args)
  except SystemExit as err:
    return err.code if isinstance(err.code, int) else 1

for name in json.loads(sys.argv[1]):
  importlib.import_module(name)
invocations = json.load(sys.stdin)
gc.freeze()
found = []
for args in invocations:
  with tempfile.TemporaryFile() as said:
    child = os.fork()
    if not child:
      code = 99
      os.dup2(said.fileno(), 1)
      os.dup2(said.fileno(), 2)
      try:
        code = run(args)
        sys.stdout.flush()
        sys.stderr.flush()
      except BaseException:
        import traceback
        traceback.print_exc()
        sys.stderr.flush()
      os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    said.seek(0)
    found.append([code, said.read().decode("utf-8", "backslashreplace")])
print(json.dumps(found))
"""

# What `runs` and `join` import only when they need it: once here, instead of once a child.
_LATE = (
  *("pipeline.runs.changes", "pipeline.runs.lineage", "pipeline.runs.said"),
  "pipeline.training.machines.strategy",
)
_VALUES = ("caf\udce9", "", "\0", "x" * 5000, "loop", "locked_folder/x")
_FILES = (
  *("empty", "bytes", "latin.yaml", "open.yaml", "deep.yaml", "list.yaml", "utf16.yaml"),
  *("date.yaml", "object.yaml", "keys.yaml"),
)
_HERE = ("--workspace", "workspace")
_BATCH = ("batch", "sentiment", "--output", "out.csv", *_HERE)
_CHECK = ("check", "sentiment", "--data", "in.csv", *_HERE)
# What stands at {} is bad in each of these, whatever it is.
_ALWAYS_BAD = [
  ("{}",),
  ("check", "{}"),
  ("run", "images", "--data", "{}", *_HERE),
  ("check", "sentiment", "--data", "{}", *_HERE),
  ("check", "translation", "--data", "{}", *_HERE),
  ("compile", "images", "--for", "ir", "--data", "{}", "-o", "out.json", *_HERE),
  (*_CHECK, "--config", "{}"),
  (*_CHECK, "--set", "{}"),
  (*_CHECK, "--set", "train.epochs={}"),
  (*_CHECK, "--set", "data.text_column={}"),
  ("predict", "{}", "a text", *_HERE),
  ("predict", "images", "{}", *_HERE),
  ("predict", "sentiment", "a text", "--workspace", "{}"),
  ("predict", "sentiment", "a text", "--endpoint", "{}"),
  ("batch", "{}", "--input", "in.csv", "--output", "out.csv", *_HERE),
  ("batch", "sentiment", "--input", "absent.csv", "--output", "{}.csv", *_HERE),
  ("batch", "sentiment", "--input", "in.csv", "--output", "out.csv", "--workspace", "{}"),
  (*_BATCH, "--input", "{}"),
  (*_BATCH, "--input", "in.csv", "--column", "{}"),
  (*_BATCH, "--input", "in.csv", "--keep", "{}"),
  (*_BATCH, "--input", "in.csv", "--set", "{}"),
  ("serve", "{}", *_HERE),
  ("serve", "sentiment", "--workspace", "{}"),
  ("runs", "{}", *_HERE),
  ("runs", "show", "{}", *_HERE),
  ("runs", "diff", "{}", "{}", *_HERE),
  ("runs", "reproduce", "{}", *_HERE),
  ("rollback", "{}", *_HERE),
  ("rollback", "sentiment", "--workspace", "{}"),
  ("join", "{}", *_HERE),
  ("data", "fetch", "{}"),
  ("settings", "{}"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
  folder = tmp_path_factory.mktemp("bad")
  (folder / "folder").mkdir()
  (folder / "file").write_text("text\n")
  (folder / "empty").write_text("")
  (folder / "loop").symlink_to("loop")
  (folder / "bytes").write_bytes(bytes(range(256)))
  (folder / "latin.yaml").write_bytes(b"train: {epochs: caf\xe9}")
  (folder / "open.yaml").write_text("train: [1,")
  (folder / "deep.yaml").write_text("[" * 3000)
  (folder / "list.yaml").write_text("- train")
  (folder / "utf16.yaml").write_text("train: {epochs: 5}", encoding="utf-16")
  (folder / "date.yaml").write_text("train: {epochs: 2020-13-45}")
  (folder / "object.yaml").write_text("train: !!python/object:os.system {}")
  (folder / "keys.yaml").write_text("train: {[1]: 2}")
  (folder / "in.csv").write_text("text,label\na,b\nc,d\n")
  (folder / "workspace" / "sentiment" / "serving" / "1").mkdir(parents=True)
  (folder / "locked").write_text("train: {epochs: 5}")
  (folder / "locked").chmod(0)
  (folder / "locked_folder").mkdir(0)
  return folder


def _values(template):
  if "--config" in template:
    return (*_VALUES, *_FILES)
  return _VALUES


def _invocations(template):
  return [[word.replace("{}", value) for word in template] for value in _values(template)]


@pytest.fixture(scope="module")
def answers(folder):
  """Code and output of each invocation, by its template."""
  asked = {template: _invocations(template) for template in _ALWAYS_BAD}
  done = subprocess.run(
    [sys.executable, "-c", _SCRIPT, json.dumps(_LATE)],
    input=json.dumps([each for invocations in asked.values() for each in invocations]),
    cwd=folder,
    env={**os.environ, "PYTHONPATH": str(_ROOT)},
    capture_output=True,
    text=True,
    check=True,
  )
  found = iter(json.loads(done.stdout))
  return {
    template: [(each, *next(found)) for each in invocations]
    for template, invocations in asked.items()
  }


@pytest.mark.parametrize("template", _ALWAYS_BAD, ids=" ".join)
def test_bad_values_are_refused_with_a_message(answers, template):
  assert answers[template]
  for args, code, said in answers[template]:
    shown = ([word[:60] for word in args], code, said[-2000:])
    assert "Traceback" not in said, shown
    assert "not foreseen" not in said, shown
    assert code == 2, shown
    assert said.strip(), shown
    assert len(said) < 12_000, shown
