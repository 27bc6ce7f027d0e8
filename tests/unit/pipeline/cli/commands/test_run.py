"""`dlpipe run` and `check` on what cannot work: exit 2, one message, no TensorFlow, no trace."""

import json
import subprocess
import sys

import pytest

from pipeline.cli.commands.check import check
from pipeline.cli.commands.run import run

_FRAMEWORKS = {"tensorflow", "tfx", "keras", "apache_beam"}


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (("imagse",), "Unknown task 'imagse'. Did you mean 'images'? Known tasks: images"),
    (("images", "--data", "absent"), "absent'. --data takes a path to one of:"),
    (("images", "--data", "."), "Error: "),
    (("images", "--data", "notes.txt"), "looks like an input of the task images. The task reads:"),
    (("images", "--data", "two", "--set", "train.epoch=5"), "Did you mean train.epochs?"),
    (
      ("images", "--data", "two", "--set", "train.epochs=0"),
      "of at least 1, such as 16. Received: 0",
    ),
    (("images", "--data", "two", "--set", "epochs"), "--set takes section.name=value"),
    (("images", "--data", "two", "--config", "absent.yaml"), "Cannot read --config absent.yaml"),
    (("images", "--data", "two", "--set", "data.source=pdf"), "Unknown data.source='pdf'"),
    (("images", "--data", "two", "--set", "model.image_size=4"), "from 8 to 1,024. Received: 4"),
    (("images", "--data", "two", "--set", "model.weights=a.h5"), "needs a model.backbone"),
    (
      ("images", "--data", "two", "--set", "model.backbone=squeezenet", "--set", "model.weights=a"),
      "must be 'imagenet' or a file. Not found:",
    ),
  ],
  ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
@pytest.mark.parametrize("name", ["run", "check"])
def test_bad_input_is_one_message(command, tmp_path, make_picture, name, arguments, message):
  (tmp_path / "notes.txt").write_text("no pictures here")
  for label in ("a", "b"):
    (tmp_path / "two" / label).mkdir(parents=True)
    for seed in (1, 2):
      (tmp_path / "two" / label / f"{seed}.png").write_bytes(make_picture(seed=seed))
  done = command(name, *arguments)
  assert done.code == 2, done.stderr
  assert done.stderr.startswith("Error: ")
  assert message in done.stderr
  assert done.stderr.count("Error") == 1
  assert "Traceback" not in done.stderr
  assert done.stdout == ""
  assert not _FRAMEWORKS & set(done.heavy)
  assert not (tmp_path / "workspace").exists()


def test_a_run_that_cannot_go_on_has_its_object_too(tmp_path):
  (tmp_path / "x.jsonl").write_text(
    "".join(f'{{"text": "a {n}", "label": {n % 2}}}\n' for n in range(8))
  )
  (tmp_path / "kept" / "sentiment").mkdir(parents=True)
  (tmp_path / "kept" / "sentiment" / "metadata.db").write_text("no database")
  options = ("--data", tmp_path / "x.jsonl", "--workspace", tmp_path / "kept", "--json")
  done = subprocess.run(
    [sys.executable, "-m", "pipeline.cli.main", "check", "sentiment", *map(str, options)],
    capture_output=True,
    text=True,
    timeout=600,
    check=False,
  )
  assert done.returncode == 1, done.stderr
  document = json.loads(done.stdout.splitlines()[-1])
  assert (document["state"], document["task"]) == ("failed", "sentiment")
  assert "metadata.db is damaged" in document["error"]
  assert {"run_id", "pushed_version", "metrics", "gates", "components", "report"} <= set(document)


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (("images", "--beam", "slurm"), "'slurm' is not one of"),
    (("images", "--tny"), "--tny"),
    (("images", "--memory-mb", "500"), "--memory-mb holds for --processes"),
    (("images", "--retries", "-1"), "--retries"),
    ((), "Missing argument 'TASK'. Known tasks: images, sentiment, translation."),
    (("images", "--epochs", "3"), "'--epochs'. Did you mean --set train.epochs=3?"),
    (("images", "--learning-rate=0.1"), "Did you mean --set train.learning_rate=0.1?"),
    (("--drpout", "0.1", "images"), "Did you mean --set model.dropout=0.1?"),
  ],
)
def test_misuse_is_told_by_the_option(command, arguments, message):
  done = command("run", *arguments)
  assert done.code == 2
  assert message in done.stderr
  assert not _FRAMEWORKS & set(done.heavy)


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (("--from", "Trianer"), "--from Trianer: the pipeline has no such node. Did you mean Trainer?"),
    (("--until", "trainer"), "Did you mean Trainer? Its nodes: SourceExampleGen, ReviewedSchema,"),
    (("--until", "Tuner"), "this run has no Tuner. --set tune.trials=10 gives it one."),
    (("--set", "model.backbone=MobilNetV2"), "Did you mean 'mobilenetv2'?"),
    (("--set", "model.dropout=1.5"), "model.dropout must be a number of at least 0 and below 1"),
    (("--set", "model.backbone=VGG16", "--set", "model.weights=w.h5"), "as HDF5 does: b'nothing'"),
  ],
  ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_what_is_known_beforehand_is_told_before_tfx_is_loaded(
  command, tmp_path, arguments, message
):
  (tmp_path / "w.h5").write_text("nothing")
  done = command("run", "images", *arguments)
  assert done.code == 2
  assert message in done.stderr
  assert not _FRAMEWORKS & set(done.heavy)


def test_run_takes_the_options_of_check_and_some_of_its_own():
  names = [[p.name for p in c.params] for c in (run, check)]
  of_check = {"labels", "suspects", "page"}
  shared = [name for name in names[1] if name not in of_check]
  assert [name for name in names[0] if name in names[1]] == shared
  assert set(names[0]) - set(names[1]) == {
    "from_node",
    "until_node",
    "no_cache",
    "retries",
    "processes",
    "memory_mb",
    "watch",
  }
  assert shared[0] == "task"
  assert set(shared[1:]) == {
    "data",
    "workspace",
    "config_file",
    "settings",
    "tiny",
    "beam",
    "mlmd",
    "as_json",
  }
