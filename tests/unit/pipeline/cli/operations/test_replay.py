"""`dlpipe replay`: logged requests through two versions, in process and over a real server."""

import datetime
import json

import pytest
import tensorflow as tf
from click.testing import CliRunner

from components.versioned_pusher import candidates, stages
from components.versioned_pusher.publish import publish
from dlpipe.errors import BadInputError, BusyError, ModelRefusedError
from dlpipe.workspace import TaskFolder
from pipeline.api.operations import staging
from pipeline.cli.operations.promote import promote
from pipeline.cli.operations.replay import replay
from serving import flags
from serving.server import ModelServer

TEXTS = [f"text number {n}" for n in range(200)]
LOGGED = [(text, "short" if len(text) < 15 else "long", 0.9) for text in TEXTS]


def _flips(text):
  """What a direct comparison finds: 14 letters are short for the first model alone."""
  return len(text) == 14


def _model(path, most):
  module = tf.Module()

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
  def answer(text):
    length = tf.strings.length(text)
    fine = tf.debugging.assert_less(length, 40, "too long a text")
    with tf.control_dependencies([fine]):
      label = tf.where(length < most, "short", "long")
    return {"label": label, "score": tf.cast(length, tf.float32) / 40}

  module.answer = answer
  tf.saved_model.save(module, str(path), signatures={"serving_default": answer})
  return path


@pytest.fixture(scope="module")
def models(tmp_path_factory):
  place = tmp_path_factory.mktemp("models")
  return [_model(place / name, most) for name, most in (("a", 15), ("b", 14))]


@pytest.fixture
def folder(tmp_path, models):
  """Version 1 is live, 2 waits."""
  found = TaskFolder(tmp_path / "sentiment")
  publish(models[0], found.serving)
  candidates.hold(models[1], found.serving)
  return found


@pytest.fixture
def invoke(tmp_path):
  def run(command, *arguments):
    return CliRunner().invoke(
      command,
      ["sentiment", *map(str, arguments), "--workspace", str(tmp_path)],
      catch_exceptions=False,
    )

  return run


@pytest.fixture(scope="module")
def server(models, tmp_path_factory, free_ports):
  """URLs of a server with both versions, by scheme."""
  base = tmp_path_factory.mktemp("base")
  for model in models:
    publish(model, base)
  config = base / "models.txt"
  config.write_text(
    f'model_config_list {{ config {{ name: "sentiment" base_path: "{base}" '
    'model_platform: "tensorflow" model_version_policy { all {} } } }'
  )
  rpc, rest = free_ports(2)
  found, _ = flags.parse(
    [f"--port={rpc}", f"--rest_api_port={rest}", f"--model_config_file={config}"]
  )
  server = ModelServer(found)
  server.start()
  yield {"http": f"http://127.0.0.1:{rest}", "grpc": f"grpc://127.0.0.1:{rpc}"}
  server.stop()


def test_the_flips_are_shown_and_written(folder, invoke, write_log):
  log = write_log(*LOGGED, client=lambda number: f"order-{number}")
  done = json.loads(invoke(replay, "--log", log, "--json").stdout)
  expected = {f"order-{n}" for n, text in enumerate(TEXTS) if _flips(text)}
  assert len(expected) == 90
  assert {flip["client_id"] for flip in done["flipped"]} == expected
  assert {(flip["before"], flip["after"]) for flip in done["flipped"]} == {("short", "long")}
  assert (done["candidate"], done["against"], done["rows"]) == (2, 1, 200)
  assert (done["flips"], done["sampled"], done["flip_rate"]) == (90, 200, 0.45)
  low, high = done["interval"]
  assert low == pytest.approx(0.3826, abs=1e-3)
  assert high == pytest.approx(0.5193, abs=1e-3)
  assert done["pairs"] == [{"before": "short", "after": "long", "count": 90}]
  [page] = folder.replays.glob("*.html")
  assert done["report"] == str(page)
  text = page.read_text()
  assert "Version 2 against version 1" in text
  assert "text number 10" in text
  kept = json.loads(page.with_suffix(".json").read_text())
  assert kept["flipped"] == done["flipped"]
  said = invoke(replay, "--log", log).stdout
  assert "90 of 200 requests get another answer. Of the random sample 90 of 200: 45 % (95" in said
  assert "       90  short -> long" in said
  assert ": short 0.3500 -> long 0.3500" in said
  assert "and 80 more in " in said


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_says_the_same(folder, invoke, write_log, server, scheme):
  log = write_log(*LOGGED, ("x" * 50, "", 0.0))
  here = json.loads(invoke(replay, "--log", log, "--json").stdout)
  there = json.loads(
    invoke(replay, "--log", log, "--endpoint", server[scheme], "--against", 1, "--json").stdout
  )
  for each in (here, there):
    del each["report"]
  assert there == here
  assert here["refused"] == 1


def test_the_latest_and_the_recent_alone(folder, invoke, write_log):
  log = write_log(*LOGGED)
  done = json.loads(invoke(replay, "--log", log, "--count", 50, "--json").stdout)
  assert (done["rows"], done["flips"]) == (50, sum(map(_flips, TEXTS[-50:])))
  tomorrow = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
  with pytest.raises(BadInputError, match=r"--since must lie before the end of the period"):
    invoke(replay, "--log", log, "--since", tomorrow.strftime("%Y-%m-%dT%H:%M"))
  done = json.loads(invoke(replay, "--log", log, "--since", "24h", "--json").stdout)
  assert done["rows"] == 200


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (("--candidate", 9), r"There is no version 9 in .* Versions: 1, 2\."),
    (("--against", 2), "Version 2 cannot be compared with itself"),
    (("--since", "yesterday"), "--since takes a moment .* Received: 'yesterday'"),
    (("--log", "nowhere"), "Expected logged requests in 'nowhere'. Found none"),
  ],
)
def test_what_cannot_be_replayed_is_refused(folder, invoke, write_log, arguments, message):
  place = () if "--log" in arguments else ("--log", write_log(*LOGGED[:2]))
  with pytest.raises(BadInputError, match=message):
    invoke(replay, *arguments, *place)
  assert not folder.replays.exists()


def test_without_a_candidate_it_says_how_to_name_one(tmp_path, models, invoke):
  publish(models[0], tmp_path / "sentiment" / "serving")
  with pytest.raises(BadInputError, match=r"There is no candidate in .* with --candidate; vers"):
    invoke(replay)
  done = invoke(replay, "--candidate", 1, "--candidate-endpoint", "http://localhost:1")
  assert done.exit_code == 2
  assert "are for servers: give --endpoint, too." in done.stderr


def _changes(folder):
  return json.loads(folder.stages.read_text())["changes"]


def test_a_promotion_with_too_many_flips_is_refused_and_recorded(folder, invoke, write_log):
  log = write_log(*LOGGED)
  with pytest.raises(ModelRefusedError) as refused:
    invoke(promote, "--max-flips", 0.02, "--log", log, "--reason", "the nightly one")
  assert "Version 2 is not promoted: the flip rate must be at most 0.02. 90 of 200" in str(
    refused.value
  )
  assert candidates.list_candidates(folder.serving) == [2]
  [change] = _changes(folder)
  assert (change["what"], change["version"], change["reason"]) == ("refused", 2, "the nightly one")
  assert change["by"]
  assert (change["flips"]["max_flips"], change["flips"]["rate"]) == (0.02, 0.45)
  done = invoke(promote, "--max-flips", 0.5, "--log", log, "--reason", "they are meant to flip")
  assert "200 requests cannot tell whether the flip rate is <= 0.5: the interval" in done.output
  assert "version 2 is live" in done.output
  [_, change] = _changes(folder)
  assert (change["what"], change["reason"]) == ("promoted", "they are meant to flip")
  assert (change["flips"]["against"], change["flips"]["sampled"]) == (1, 200)
  assert change["flips"]["report"].endswith(".html")


def test_another_version_that_went_live_meanwhile_stops_a_promotion(folder):
  flips = stages.Flips(
    against=7, max_flips=0.5, rate=0.1, interval=(0.0, 0.2), sampled=10, report="r.html"
  )
  with pytest.raises(
    BusyError, match="Version 7 was live when the requests were replayed, and ver"
  ):
    staging.promote(folder, 2, stage="stable", reason=None, flips=flips)
  assert candidates.list_candidates(folder.serving) == [2]


def test_without_a_random_sample_nothing_is_promoted(folder, invoke, write_log, monkeypatch):
  from pipeline.batch.requests import windows

  monkeypatch.setattr(windows, "SAMPLED", ())  # as if all were logged because they are unsure
  with pytest.raises(ModelRefusedError, match="None is of the random sample"):
    invoke(promote, "--max-flips", 1, "--log", write_log(*LOGGED[:5]))
  assert candidates.list_candidates(folder.serving) == [2]


def test_the_setting_of_the_run_that_pushed_the_version_holds(days, tmp_path, write_log):
  from pipeline.api.operations.told_bounds import told_max_flips
  from pipeline.runs import run_files
  from pipeline.settings.reading import make_config
  from pipeline.tasks import get_task

  said = []
  days.run(0), days.run(1)
  assert told_max_flips(days.folder, 2, tell=said.append) is None
  for run_id, bound in (("run-000", 0.5), ("run-001", 0.1)):
    config = make_config(
      get_task("images"),
      data_path="d",
      workspace=str(days.folder.root.parent),
      settings=["push.stage=candidate", f"push.max_flips={bound}"],
    )
    run_files.write(config, run_id)
  assert told_max_flips(days.folder, 1, tell=said.append) == 0.5
  assert told_max_flips(days.folder, 2, tell=said.append) == 0.1
  assert said == []
  assert told_max_flips(days.folder, 7, tell=said.append) == 0.1
  assert said == [
    "Which run pushed version 7 is not known: the strictest push.max_flips of all runs, 0.1, holds."
  ]


def test_where_nothing_is_live_nothing_can_flip(tmp_path, models, invoke):
  folder = TaskFolder(tmp_path / "sentiment")
  candidates.hold(models[0], folder.serving)
  done = invoke(promote, "--max-flips", 0.0)
  assert "Nothing is live, so no answer can flip" in done.output
  assert "version 1 is live" in done.output


def test_options_of_a_replay_want_a_bound(folder, invoke, write_log):
  done = invoke(promote, "--since", "24h")
  assert done.exit_code == 2
  assert "--since: is for a replay. Give --max-flips, too, or leave it out." in done.output
