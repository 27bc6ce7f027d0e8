"""The request log of a running server: what an entry holds, what is kept, what a kill costs."""

import threading

import grpc
import pytest
import tensorflow as tf

from pipeline.batch.requests import reading
from serving.errors import InvalidArgument
from serving.flags import check, parse


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
  """A model whose score is the number in its text, and whose label is its first word."""

  class Model(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def serve(self, text):
      words = tf.strings.split(text).to_tensor()
      return {"label": words[:, 0], "score": tf.strings.to_number(words[:, 1])}

  path = tmp_path_factory.mktemp("reviews")
  model = Model()
  tf.saved_model.save(model, str(path / "1"), signatures=model.serve)
  return path


def _flags(reviews, log, *more):
  return [
    "--model_name=m",
    f"--model_base_path={reviews}",
    f"--request_log_dir={log}",
    *more,
  ]


def _read(log):
  said = []
  return list(reading.read(reading.log_of(log, "m"), "text", tell=said.append)), said


def test_an_entry_says_who_asked_how_long_it_took_and_what_came(start, reviews, tools, tmp_path):
  server = start(*_flags(reviews, tmp_path, "--request_log_sample=1", "--request_log_errors"))
  body = {"instances": ["pos 0.9", "neg 0.25"]}
  assert server.http("POST", "/v1/models/m:predict", body, X_Request_Id="order-7")[0] == 200
  request = tools.predict_request("m", {"text": ["pos 0.5"]})
  server.prediction.Predict(request, metadata=(("x-request-id", "order-8"),), timeout=120)
  assert server.http("POST", "/v1/models/m:predict", {"instances": [1]})[0] == 400
  assert server.http("POST", "/v1/models/other:predict", body)[0] == 404
  assert server.http("POST", "/v1/models/other/labels/new:predict", body)[0] == 400
  server.server.stop()
  rows, said = _read(tmp_path)
  assert not said
  assert [(row.client_id, row.value, row.answer) for row in rows[:3]] == [
    ("order-7", b"pos 0.9", {"label": "pos", "score": 0.9}),
    ("order-7", b"neg 0.25", {"label": "neg", "score": 0.25}),
    ("order-8", b"pos 0.5", {"label": "pos", "score": 0.5}),
  ]
  assert [row.id.rpartition("/")[2] for row in rows[:2]] == ["0", "1"]
  assert len({row.id for row in rows}) == 4
  assert all(row.version == 1 and row.latency_us > 0 and row.why == "sampled" for row in rows[:3])
  assert (rows[3].why, rows[3].error[:17]) == ("error", "INVALID_ARGUMENT:")
  assert [path.name for path in tmp_path.iterdir()] == ["m"], "callers make no folders"


def test_the_rare_is_kept_whatever_the_sample(start, reviews, tmp_path):
  server = start(
    *_flags(reviews, tmp_path, "--request_log_sample=0", "--request_log_unsure_below=0.6"),
    "--request_log_rare_below=0.1",
    "--request_log_omit=scores",
  )
  texts = [*(["pos 0.9"] * 50), "neg 0.9", *(["pos 0.9"] * 5), "pos 0.59"]
  for text in texts:
    assert server.post("/v1/models/m:predict", {"instances": [text]})[0] == 200
  server.server.stop()
  rows, _ = _read(tmp_path)
  assert [(row.value, row.why) for row in rows] == [(b"neg 0.9", "rare"), (b"pos 0.59", "unsure")]


def test_what_is_personal_is_not_written(start, reviews, tools, tmp_path):
  server = start(
    *_flags(reviews, tmp_path, "--request_log_sample=1", "--request_log_omit=text, user")
  )
  secret = "jane.doe@example.org 0.5"
  assert server.post("/v1/models/m:predict", {"instances": [secret]})[0] == 200
  server.prediction.Predict(tools.predict_request("m", {"text": [secret]}), timeout=120)
  server.server.stop()
  [file] = tmp_path.glob("m/*/*")
  # The answer of this model quotes its input; the input itself is not there.
  rows, _ = _read(tmp_path)
  assert [(row.value, row.answer["score"]) for row in rows] == [(None, 0.5)] * 2
  assert b"doe@example.org 0.5" not in file.read_bytes()


def test_a_killed_server_loses_no_more_than_a_second(start_process, reviews, tools, tmp_path):
  server = start_process(*_flags(reviews, tmp_path, "--request_log_sample=1")).wait()
  answered, stop = [], threading.Event()

  def ask(number):
    while not stop.is_set():
      name = f"{number}-{len(answered)}"
      request = tools.predict_request("m", {"text": ["pos 0.5"]})
      try:
        server.prediction.Predict(request, metadata=(("x-request-id", name),), timeout=120)
      except grpc.RpcError:
        return
      answered.append(name)

  threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
  for thread in threads:
    thread.start()
  while len(answered) < 400:
    stop.wait(0.02)
  # The log may be behind by a second; so many were there before.
  before = list(answered)
  stop.wait(1.0)
  assert len(answered) > len(before)
  server.process.kill()
  for thread in threads:
    thread.join()
  rows, at_kill = _read(tmp_path)
  found = {row.client_id for row in rows}
  assert set(before) <= found
  # Whatever follows starts whole, and the reader says where the last file was cut.
  [file] = tmp_path.glob("m/*/.requests-*")
  with file.open("r+b") as opened:
    opened.truncate(file.stat().st_size - 5)
  cut, said = _read(tmp_path)
  # The kill itself may have ended the file within a record.
  assert len(rows) - 1 <= len(cut) <= len(rows) - (not at_kill)
  assert said == [f"{file} ends within a record: its first {len(cut):,} are read."]


@pytest.mark.parametrize(
  ("flag", "message"),
  [
    ("--request_log_unsure_below=1.5", "--request_log_unsure_below must be from 0 to 1"),
    ("--request_log_keep_days=-1", "--request_log_keep_days must be 0, for no limit, or more"),
  ],
)
def test_a_setting_that_cannot_hold_is_refused(flag, message, tmp_path):
  flags, _ = parse(["--model_base_path=/m", f"--request_log_dir={tmp_path}", flag])
  with pytest.raises(InvalidArgument, match=message):
    check(flags)


def test_a_setting_of_no_log_is_refused():
  flags, _ = parse(["--model_base_path=/m", "--request_log_omit=text"])
  with pytest.raises(InvalidArgument, match="--request_log_omit needs --request_log_dir"):
    check(flags)
