"""`dlpipe node` on what cannot work: one message in a moment, and the code that says misuse."""

import json

import pytest

_NODES = [{"pipeline_node": {"node_info": {"id": name}}} for name in ("Transform", "Trainer")]


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ("ir.json --node Trainer", "Missing option '--run-id'"),
    ("ir.json --node Trianer --run-id r", "Did you mean Trainer? Its nodes: Transform, Tr"),
    ("ir.json --node Trainer --run-id r --param x", "--param takes NAME=VALUE"),
    ("absent.json --node Trainer --run-id r", "absent.json: No such file"),
    ("other.json --node Trainer --run-id r", "holds no compiled pipeline"),
  ],
)
def test_misuse_is_told_before_tfx_is_imported(command, tmp_path, arguments, message):
  (tmp_path / "ir.json").write_text(json.dumps({"nodes": _NODES}))
  (tmp_path / "other.json").write_text("[1]")
  done = command("node", "--ir", *arguments.split())
  assert done.code == 2
  assert message in done.stderr
  assert "Traceback" not in done.stderr
  assert done.heavy == []


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (("finish", "--ir", "ir.json"), "Missing option '--run-id'"),
    (("finish", "--ir", "absent.json", "--run-id", "r"), "absent.json: No such file"),
    (("begin", "--ir", "other.json", "--run-id", "r"), "holds no compiled pipeline"),
    (("begin", "--ir", "ir.json", "--run-id", "r"), "ir.json is of another release"),
    (("begin", "--ir", "ir.json", "--run-id", "r", "--data", "ftp://h/a"), "or an address: s3://"),
  ],
)
def test_the_ends_of_a_run_refuse_misuse_before_tfx_is_imported(
  command, tmp_path, arguments, message
):
  (tmp_path / "ir.json").write_text(json.dumps({"nodes": _NODES}))
  (tmp_path / "other.json").write_text("[1]")
  done = command(*arguments)
  assert done.code == 2
  assert message in done.stderr
  assert "Traceback" not in done.stderr
  assert done.heavy in ([], ["numpy"])
