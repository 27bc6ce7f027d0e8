"""The compiled spec of each shipped task, as a file: what a change does to it is seen in the diff.

`DLPIPE_WRITE_GOLDEN=1` writes the files anew instead of comparing.
"""

import difflib
import os
import pathlib
import re

import pytest
import tfx

_GOLDEN = pathlib.Path(__file__).resolve().parents[4] / "golden" / "kubeflow"
_SHA256 = re.compile(r"\b[0-9a-f]{64}\b")

pytestmark = pytest.mark.skipif(
  not tfx.__version__.startswith("1.16."), reason="the golden files are those of TFX 1.16"
)


def _normalised(documents):
  """The spec as text, without what changes with every edit of a source: code fingerprints."""
  from pipeline.orchestrators.kubeflow.spec import to_yaml

  return _SHA256.sub("<sha256>", to_yaml(documents))


def _changes(before, after):
  lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
  return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


@pytest.mark.parametrize("task", ["images", "sentiment", "translation"])
def test_the_spec_is_the_one_on_file(task, compiled):
  text = _normalised(compiled(task))
  path = _GOLDEN / f"{task}.yaml"
  if os.environ.get("DLPIPE_WRITE_GOLDEN"):
    path.write_text(text, encoding="utf-8")
  diff = _changes(path.read_text(encoding="utf-8"), text)
  assert not diff, "DLPIPE_WRITE_GOLDEN=1 writes it anew if this is meant:\n" + "\n".join(diff)


def test_another_image_shows_in_the_diff(compiled):
  before, after = compiled("images"), compiled("images", "kubeflow.image=other:2")
  changes = _changes(_normalised(before), _normalised(after))
  nodes = len(before[0]["deploymentSpec"]["executors"])
  assert nodes == 18
  removed = ["-        image: registry.example.com/dlpipe-training:1"] * nodes
  assert sorted(changes) == sorted([*removed, *["+        image: other:2"] * nodes])


def test_other_resources_show_in_the_diff(compiled):
  before = _normalised(compiled("images", "kubeflow.resources={Trainer: {cpu: 2}}"))
  after = _normalised(compiled("images", "kubeflow.resources={Trainer: {cpu: 4, memory_gb: 16}}"))
  assert _changes(before, after) == [
    "-          cpuLimit: 2.0",
    "+          cpuLimit: 4.0",
    "+          memoryLimit: 16.0",
  ]


def test_no_file_names_the_machine_it_was_written_on():
  root = str(pathlib.Path(__file__).resolve().parents[5])
  for path in sorted(_GOLDEN.iterdir()):
    text = path.read_text(encoding="utf-8")
    assert root not in text
    assert str(pathlib.Path.home()) + "/" not in text
