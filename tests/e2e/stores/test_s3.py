"""Data in an S3-compatible server: read by every task, versions written back, faults told."""

from __future__ import annotations

import json
import pathlib

import pytest
from sklearn.datasets import load_digits

from dlpipe.remote import copying, stores
from pipeline.api.inputs import prepare
from pipeline.execution import local
from pipeline.tasks import get_task

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

_LEARNT_LITTLE = ("gates.skill=-1", "gates.worst_recall=null", "gates.accuracy=0")


@pytest.fixture
def variables(s3, monkeypatch):
  """The environment of a client of the server."""
  for name, value in s3.variables.items():
    monkeypatch.setenv(name, value)
  return s3.variables


def _names(address):
  return [item.name for item in stores.open_store(address).items()[1]]


def test_a_run_reads_from_and_publishes_to_the_store(
  put, variables, write_digits, run_dlpipe, tmp_path
):
  digits = write_digits(tmp_path / "digits", load_digits().target[:120])
  put(digits, "s3://data/november")
  settings = ("train.epochs=1", *_LEARNT_LITTLE, "push.copy_to=s3://data/models/images")
  told = [
    *("run", "images", "--tiny", "--json", "--data", "s3://data/november/"),
    *("--workspace", tmp_path / "ws"),
    *(part for setting in settings for part in ("--set", setting)),
  ]
  first = run_dlpipe(*told)
  assert first.code == 0, first.stderr
  result = json.loads(first.stdout.splitlines()[-1])
  assert (result["state"], result["pushed_version"]) == ("pushed", 1)
  assert sum(result["examples"].values()) == 120
  report = pathlib.Path(result["report"]).read_text(encoding="utf-8")
  assert "s3://data/november/" in report
  served = tmp_path / "ws" / "images" / "serving" / "1"
  files = sorted(str(path.relative_to(served)) for path in served.rglob("*") if path.is_file())
  assert sorted(_names("s3://data/models/images/1")) == sorted([*files, "UPLOADED"])
  copy = copying.local("s3://data/models/images/1", tmp_path / "copies")
  assert (pathlib.Path(copy) / "saved_model.pb").read_bytes() == (
    served / "saved_model.pb"
  ).read_bytes()


@pytest.mark.parametrize("task", ["sentiment", "translation"])
def test_texts_and_pairs_are_read_from_the_store(task, put, variables, tmp_path):
  if task == "sentiment":
    rows = [f"a {word} film number {n},{word}" for n in range(40) for word in ("good", "bad")]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "reviews.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    address, count, languages = f"s3://data/{task}/reviews.csv", 80, ()
  else:
    (tmp_path / "in").mkdir()
    for side, word in (("en", "house"), ("de", "Haus")):
      lines = [f"{word} number {n}" for n in range(60)]
      (tmp_path / "in" / f"train.{side}").write_text("\n".join(lines) + "\n")
    address, count = f"s3://data/{task}/train", 60
    languages = ("source_language=en", "target_language=de")
  put(tmp_path / "in", f"s3://data/{task}")
  inputs = prepare(
    task=task,
    data=address,
    workspace=str(tmp_path / "ws"),
    config_file=None,
    settings=[f"data.{name}" for name in languages],
    tiny=True,
    beam=None,
  )
  assert any(address in sentence for sentence in inputs.recognized)
  result = local.run(
    get_task(task),
    inputs.config,
    source=inputs.source,
    params=inputs.params,
    run_id="r1",
    log_file="",
    listener=lambda event: None,
    train_and_push=False,
  )
  assert result.exit_code == 0, result.error
  assert sum(result.examples.values()) == count


@pytest.mark.parametrize(
  ("changed", "address", "message"),
  [
    (
      {"AWS_SECRET_ACCESS_KEY": "wrong"},
      "s3://data/november",
      "the store refuses these credential",
    ),
    ({"AWS_ACCESS_KEY_ID": "nobody"}, "s3://data/november", "store refuses these credential"),
    ({}, "s3://no-such-bucket/november", "There is nothing at s3://no-such-bucket/november"),
    ({}, "s3://data/december", "There is nothing at s3://data/december"),
  ],
)
def test_what_cannot_be_read_is_a_sentence_and_nothing_is_written(
  changed, address, message, variables, monkeypatch, run_dlpipe, tmp_path
):
  for name, value in changed.items():
    monkeypatch.setenv(name, value)
  done = run_dlpipe("check", "images", "--data", address, "--workspace", tmp_path / "ws")
  assert done.code == 2
  [sentence] = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
  assert message in sentence
  assert "Traceback" not in done.stderr
  assert not (tmp_path / "ws").exists()


def test_a_server_that_is_gone_is_a_sentence_and_may_be_tried_again(
  variables, s3, run_dlpipe, monkeypatch, free_ports, tmp_path
):
  monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_ports(1)[0]}")
  done = run_dlpipe(
    "check", "images", "--data", "s3://data/november", "--workspace", tmp_path / "ws"
  )
  assert done.code == 1
  assert "Error: s3://data/november cannot be read: the connection failed" in done.stderr
  assert not (tmp_path / "ws").exists()
