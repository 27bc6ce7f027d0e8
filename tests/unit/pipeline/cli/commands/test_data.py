"""`dlpipe data`: what it prints, its JSON, and its refusals, against a server of files."""

from __future__ import annotations

import functools
import http.server
import json
import pathlib
import threading

import pytest
from click.testing import CliRunner

from data.catalog import DATA_SETS
from dlpipe.errors import BadInputError, DlpipeError
from pipeline.cli.commands.data import data


@pytest.fixture
def mirror(tmp_path, dataset):
  """A server of Fashion-MNIST's four files, as any machine that has them could run it."""
  root = tmp_path / "mirror"
  root.mkdir()
  (root / "fashion_mnist").symlink_to(dataset("fashion_mnist"))

  class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
      pass

  handler = functools.partial(Handler, directory=str(root))
  with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def _run(*arguments, **environment):
  return CliRunner().invoke(data, [str(a) for a in arguments], env=environment)


def test_fetch_prints_the_path_and_the_next_command(mirror, tmp_path):
  done = _run("fetch", "fashion_mnist", "--to", tmp_path / "my sets", "--mirror", mirror)
  assert done.exit_code == 0, done.output
  path = tmp_path / "my sets" / "fashion_mnist"
  *_, data_line, next_line = done.stdout.splitlines()
  assert data_line == f"Data     {path}"
  assert next_line == f"Next: dlpipe run images --data '{path}'"
  assert "train-images-idx3-ubyte.gz: 26.4 MB of 26.4 MB" in done.stderr
  assert (path / "labels.txt").is_file()


def test_fetch_again_does_nothing_and_json_says_so(mirror, tmp_path):
  environment = {"XDG_CACHE_HOME": str(tmp_path), "DLPIPE_DATA_MIRROR": mirror}
  first = json.loads(_run("fetch", "fashion_mnist", "--json", **environment).stdout)
  path = str(tmp_path / "dlpipe" / "datasets" / "fashion_mnist")
  assert first == {
    "name": "fashion_mnist",
    "task": "images",
    "state": "fetched",
    "data": path,
    "licence": "MIT",
    "source": DATA_SETS["fashion_mnist"].source,
    "sha256": {file.name: file.checksum.digest for file in DATA_SETS["fashion_mnist"].files},
    "next": f"dlpipe run images --data {path}",
  }
  # Nothing listens on this port: a second fetch would fail if it asked for anything.
  environment["DLPIPE_DATA_MIRROR"] = "http://127.0.0.1:1"
  again = json.loads(_run("fetch", "fashion_mnist", "--json", **environment).stdout)
  assert again == {**first, "state": "present"}
  [row] = [
    row
    for row in json.loads(_run("list", "--json", **environment).stdout)["data_sets"]
    if row["data"]
  ]
  assert (row["name"], row["data"]) == ("fashion_mnist", path)


def test_what_was_fetched_is_what_the_images_task_reads(mirror, tmp_path):
  from pipeline.tasks.images.task import TASK

  _run("fetch", "fashion_mnist", "--to", tmp_path, "--mirror", mirror)
  path = str(tmp_path / "fashion_mnist")
  assert TASK.sources["idx"].matches(path)
  plan = TASK.sources["idx"].plan(path, TASK.data_options.defaults())
  assert plan.given_splits == ("train", "eval")
  record = next(TASK.sources["idx"].read(plan.shards[0], TASK.data_options.defaults()))
  assert record.features["label"] == "Ankle boot"


def test_a_file_that_is_not_there_fails_with_one_message(mirror, tmp_path):
  done = _run("fetch", "cifar10", "--to", tmp_path, "--mirror", mirror)
  assert isinstance(done.exception, DlpipeError)
  assert done.exception.exit_code == 1
  assert "cifar-10-binary.tar.gz: HTTP 404" in str(done.exception)
  assert not (tmp_path / "cifar10").exists()


def test_a_folder_that_cannot_be_written_is_bad_input(tmp_path):
  (tmp_path / "file").write_text("")
  done = _run("fetch", "imdb", "--to", tmp_path / "file" / "below")
  assert isinstance(done.exception, BadInputError)
  assert "Choose another folder with --to" in str(done.exception)


def test_an_unknown_set_is_misuse_and_suggests_the_nearest(command):
  done = command("data", "fetch", "imbd")
  assert done.code == 2
  assert done.stderr.startswith(
    "Error: Unknown data set 'imbd'. Did you mean 'imdb'? Known: fashion"
  )
  assert done.heavy == []


def test_list_names_every_set_with_licence_and_source(command):
  done = command("data", "list")
  assert done.code == 0
  for known in DATA_SETS.values():
    assert f"{known.name} " in done.stdout
    assert f"licence: {known.licence}" in done.stdout
    assert known.source in done.stdout
  assert done.stdout.count("not fetched") == len(DATA_SETS)
  assert done.heavy == []


def test_list_tells_what_is_here_below_another_folder(tmp_path):
  (tmp_path / "imdb").mkdir()
  (tmp_path / "imdb" / ".dlpipe.json").write_text('{"files": []}')
  (tmp_path / "multi30k").mkdir()  # somebody else's
  rows = json.loads(_run("list", "--to", tmp_path, "--json").stdout)["data_sets"]
  here = {row["name"]: row["data"] for row in rows if row["data"]}
  assert here == {"imdb": str(pathlib.Path(tmp_path, "imdb", "aclImdb"))}
