"""Paths that options take: on this machine, or refused before anything is made there."""

import pytest
from click.testing import CliRunner

from pipeline.cli.main import cli


@pytest.mark.parametrize(
  ("arguments", "environment", "message"),
  [
    (
      ("run", "images", "--workspace", "gs://b/ws"),
      {},
      "--workspace takes a path on this machine.",
    ),
    (("run", "images", "--workspace", ""), {}, "--workspace takes a path. Received an empty text;"),
    (("run", "images", "--data", ""), {}, "--data takes a path. Received an empty text;"),
    (("run", "images", "--mlmd", ""), {}, "--mlmd takes a path. Received an empty text;"),
    (("settings", "images", "--config", ""), {}, "--config takes a path. Received an empty text;"),
    (
      ("run", "images", "--data", "ftp://b/pics"),
      {},
      "--data takes a path on this machine, or",
    ),
    (("check", "images", "--data", "hf://a/x.zip"), {}, "'hf://a/x.zip'; copy it"),
    (("check", "sentiment", "--data", "file:///x.csv"), {}, "leave file:// out"),
    (
      ("predict", "images", "--sample"),
      {"DLPIPE_WORKSPACE": "gs://b/ws"},
      "DLPIPE_WORKSPACE takes",
    ),
    (("batch", "images", "--input", "hf://a", "--output", "o.csv"), {}, "--input takes a path"),
    (("batch", "images", "--input", "a", "--output", "s3://o.csv"), {}, "--output takes a path"),
    (("rollback", "images", "--workspace", "gs://b/ws"), {}, "--workspace takes a path"),
    (("status", "--workspace", "gs://b/ws"), {}, "--workspace takes a path on this machine"),
    (("serve", "images", "--workspace", "gs://b/ws"), {}, "--workspace takes a path"),
    (("runs", "list", "--workspace", "gs://b/ws"), {}, "--workspace takes a path"),
    (("doctor", "--workspace", "gs://b/ws"), {}, "--workspace takes a path"),
  ],
  ids=lambda value: "_".join(value[:3]) if isinstance(value, tuple) else "",
)
def test_an_address_elsewhere_is_refused_and_makes_no_folder(
  command, tmp_path, arguments, environment, message
):
  done = command(*arguments, **environment)
  assert done.code == 2
  assert done.stderr.startswith("Error: ")
  assert message in done.stderr
  assert len(done.stderr.splitlines()) == 1
  assert not {"tensorflow", "tfx"} & set(done.heavy)
  assert not [path for path in tmp_path.iterdir() if ":" in path.name]


@pytest.mark.parametrize("number", ["nan", "inf"])
@pytest.mark.parametrize(
  "arguments",
  [
    ("watch", "images", "--least"),
    ("promote", "images", "--max-flips"),
    ("replay", "images", "--tolerance"),
    ("clean", "images", "--days"),
    ("clean", "images", "--max-mb"),
    ("runs", "reproduce", "r", "--tolerance"),
    ("predict", "images", "--timeout"),
  ],
  ids=" ".join,
)
def test_a_number_that_no_bound_holds_is_refused(arguments, number):
  done = CliRunner().invoke(cli, [*arguments, number])
  assert done.exit_code == 2, done.output
  assert f"Invalid value for '{arguments[-1]}'" in done.output


def test_a_home_folder_is_the_user_s_where_the_shell_left_it(command, tmp_path):
  home = tmp_path / "me"
  (home / "data").mkdir(parents=True)
  done = command("check", "sentiment", "--data=~/data", HOME=str(home))
  assert done.code == 2
  assert str(home / "data") in done.stderr
  done = command("status", "--workspace=~/runs", HOME=str(home))
  assert f"Nothing has run in {home / 'runs'}." in done.stdout
