"""The request log where the disk is full, and after a server that was killed."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving.errors import FailedPrecondition, InvalidArgument
from serving.models.servable import Run
from serving.telemetry import request_log
from serving.telemetry.logged import Noted
from serving.telemetry.record_files import RecordFile
from serving.telemetry.request_log import RequestLog, Retention
from serving.telemetry.sampling import Sampling

_ROOT = pathlib.Path(__file__).resolve().parents[4]
# A limit of the process stands for a full disk: a record is cut off in its middle, too.
_SERVER = """
import functools, logging, os, resource, signal, sys, time

from tensorflow_serving.apis import predict_pb2

from serving.models.servable import Run
from serving.telemetry import logged, sampling
from serving.telemetry.request_log import RequestLog

logging.basicConfig(level=logging.INFO, format="LOG %(message)s")


def log(count, size=20_000):
  for _ in range(count):
    request = predict_pb2.PredictRequest()
    request.inputs["x"].string_val.append(b"x" * size)
    response = predict_pb2.PredictResponse()
    response.model_spec.name = "m"
    record = functools.partial(logged.of_messages, "Predict", request, response)
    requests.answered(record, sampling.Answer, Run())


def idle():
  while requests._waiting:
    time.sleep(0.01)


def limit(size):
  resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


requests = RequestLog(sys.argv[1])
"""


def _run(folder, script):
  return subprocess.run(
    [sys.executable, "-c", _SERVER + script, str(folder)],
    cwd=_ROOT,
    capture_output=True,
    text=True,
    timeout=120,
    check=False,
  )


def _records(folder, model="m"):
  """How many records each complete file holds; a damaged one is an error."""
  return {
    path.name: sum(1 for _ in tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    for path in sorted(folder.glob(f"{model}/span-*/requests-*.tfrecord"))
  }


def _lost(stderr):
  """The counts of what the log says is lost, line by line."""
  lines = [line for line in stderr.splitlines() if "requests were not logged: " in line]
  return [int(line.split()[1]) for line in lines]


def _until(is_so):
  deadline = time.monotonic() + 120
  while not is_so():
    assert time.monotonic() < deadline
    time.sleep(0.01)


def _hidden(folder):
  return list(folder.glob("m/span-*/.*"))


def test_a_full_disk_costs_records_and_no_file(tmp_path):
  done = _run(tmp_path, "limit(50_000)\nlog(10)\nrequests.close()\n")  # two records and a half
  assert done.returncode == 0, done.stderr
  found = _records(tmp_path)
  assert sorted(found.values()) == [1, 2, 2, 2]
  assert not _hidden(tmp_path)
  lost = _lost(done.stderr)
  assert sum(lost) == 3
  assert len(lost) <= 2  # at once, and at the end
  assert "Traceback" not in done.stderr


def test_where_nothing_can_be_written_nothing_is_left(tmp_path):
  done = _run(tmp_path, "limit(100)\nlog(30)\nrequests.close()\n")
  assert done.returncode == 0, done.stderr
  assert not _records(tmp_path)
  assert not _hidden(tmp_path)
  assert sum(_lost(done.stderr)) == 30
  assert len(_lost(done.stderr)) <= 2


def test_the_next_start_completes_what_a_killed_server_left(tmp_path, caplog):
  done = _run(tmp_path, "log(4)\nidle()\nos.kill(os.getpid(), signal.SIGKILL)\n")
  assert done.returncode == -signal.SIGKILL
  (left,) = _hidden(tmp_path)
  RequestLog(str(tmp_path)).close()
  assert list(_records(tmp_path)) == [left.name[1:]]
  assert _records(tmp_path)[left.name[1:]] == 4
  assert not _hidden(tmp_path)
  assert f"{left} was left unfinished: " in caplog.text


@pytest.mark.parametrize("torn", [0, 1, 9, 15, 20_000])
def test_a_torn_record_at_the_end_is_cut_off(tmp_path, torn, caplog):
  written = RecordFile(tmp_path / "other")
  for size in (10, 0, 5000):
    written.write(b"x" * size)
  written.complete()
  (source,) = (tmp_path / "other").iterdir()
  left = tmp_path / "log" / "m" / "span-1" / ".requests-1-1.tfrecord"
  left.parent.mkdir(parents=True)
  begun = (20_000).to_bytes(8, "little") + b"x" * 20_000
  left.write_bytes(source.read_bytes() + begun[:torn])
  RequestLog(str(tmp_path / "log")).close()
  assert _records(tmp_path / "log") == {"requests-1-1.tfrecord": 3}
  assert left.with_name(left.name[1:]).read_bytes() == source.read_bytes()
  assert caplog.messages == [
    f"{left} was left unfinished: 3 records are kept, {torn} bytes after them are not"
  ]


def test_an_empty_file_that_was_left_goes(tmp_path, caplog):
  folder = tmp_path / "m" / "span-1"
  folder.mkdir(parents=True)
  (folder / ".requests-1-1.tfrecord").write_bytes(b"\x01\x02")
  RequestLog(str(tmp_path)).close()
  assert not list(folder.iterdir())
  assert "0 records are kept, 2 bytes after them are not" in caplog.text


def test_a_file_that_another_server_writes_is_left_alone(tmp_path, caplog):
  file = RecordFile(tmp_path / "m" / "span-1")
  record = prediction_log_pb2.PredictionLog().SerializeToString()
  file.write(record)
  RequestLog(str(tmp_path)).close()
  assert len(_hidden(tmp_path)) == 1
  assert not caplog.messages
  file.write(record)
  file.complete()
  assert list(_records(tmp_path).values()) == [2]


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(FailedPrecondition, match="--request_log_dir=.*: Not a directory"):
    RequestLog(os.path.join(tmp_path, "file", "log"))


def _complete(folder, name, *, size, age_s):
  path = folder / "m" / name
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(b"x" * size)
  os.utime(path, (time.time() - age_s, time.time() - age_s))
  return path


def test_old_files_go_and_the_newest_fit(tmp_path):
  old = _complete(tmp_path, "span-1/requests-1-1.tfrecord", size=10, age_s=3 * 86400)
  young = _complete(tmp_path, "span-2/requests-2-1.tfrecord", size=10, age_s=60)
  RequestLog(str(tmp_path), keep=Retention(days=2)).close()
  assert not old.parent.exists()
  assert young.exists()
  newest = _complete(tmp_path, "span-2/requests-3-1.tfrecord", size=10, age_s=30)
  RequestLog(str(tmp_path), keep=Retention(max_bytes=15)).close()
  assert (young.exists(), newest.exists()) == (False, True)


def test_a_writer_that_falls_behind_drops_what_comes(tmp_path, caplog):
  log = RequestLog(str(tmp_path))
  holding, held = threading.Event(), threading.Event()

  def slow():
    held.set()
    holding.wait()
    return prediction_log_pb2.PredictionLog()

  log._offer(slow, Noted("sampled"))
  held.wait()
  # It is in the writer's hands, and older than a second.
  log._waiting[0] = (log._waiting[0][0] - 2.0, *log._waiting[0][1:])
  log._offer(prediction_log_pb2.PredictionLog, Noted("sampled"))
  holding.set()
  log.close()
  assert list(_records(tmp_path, "_").values()) == [1]
  assert "1 requests were not logged: the disk is too slow" in caplog.text


def test_errors_of_models_that_are_not_there_make_no_folder(tmp_path):
  log = RequestLog(str(tmp_path), choice=Sampling(rate=0.0, errors=True))
  log.is_model = {"m"}.__contains__
  for name in ("m", "made up"):
    log.refused(name, InvalidArgument("JSON Parse error"), Run())
  log.close()
  assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize(("omit", "is_there"), [((), True), (("text",), False)])
def test_a_message_that_quotes_the_request_goes_with_what_is_omitted(tmp_path, omit, is_there):
  log = RequestLog(str(tmp_path), choice=Sampling(rate=0.0, errors=True), omit=omit)
  log.refused("m", InvalidArgument('JSON Value: "jane.doe" Is not object'), Run())
  log.close()
  [file] = tmp_path.glob("m/*/*")
  assert b"INVALID_ARGUMENT" in file.read_bytes()
  assert (b"jane.doe" in file.read_bytes()) is is_there


def test_what_cannot_be_written_costs_no_other_request(tmp_path, caplog, monkeypatch):
  def gone(*arguments, **options):
    raise FileNotFoundError(2, "No such file or directory", "span-1")

  monkeypatch.setattr(request_log, "remove_old", gone)
  monkeypatch.setattr(request_log, "recover", gone)
  log = RequestLog(str(tmp_path), choice=Sampling(rate=0.0, errors=True))
  too_much = Noted("sampled", latency_us=2**80)
  log._offer(prediction_log_pb2.PredictionLog, too_much)
  log.refused("m", InvalidArgument("wrong"), Run())
  log.close()
  assert list(_records(tmp_path).values()) == [1]
  assert "A request could not be logged" in caplog.text
  assert "stay as they are: [Errno 2] No such file" in caplog.text


def test_a_file_that_cannot_be_opened_keeps_no_descriptor(tmp_path, monkeypatch):
  def full(path):
    raise tf.errors.ResourceExhaustedError(None, None, f"{path}; No space left on device")

  monkeypatch.setattr(tf.io, "TFRecordWriter", full)
  before = len(os.listdir("/proc/self/fd"))
  for _ in range(20):  # as many requests
    with pytest.raises(tf.errors.ResourceExhaustedError):
      RecordFile(tmp_path)
  assert len(os.listdir("/proc/self/fd")) < before + 20
  assert list(tmp_path.iterdir()) == []


def test_a_folder_that_goes_while_the_disk_is_full_stops_no_log(tmp_path, caplog, monkeypatch):
  log = RequestLog(str(tmp_path), choice=Sampling(rate=0.0, errors=True))

  def full(file):
    shutil.rmtree(tmp_path / "gone", ignore_errors=True)
    raise OSError(28, "No space left on device")

  with monkeypatch.context() as patch:
    patch.setattr(RecordFile, "flush", full)
    log.refused("gone", InvalidArgument("wrong"), Run())
    _until(lambda: "cannot be completed" in caplog.text)
  log.refused("m", InvalidArgument("wrong"), Run())
  log.close()
  assert list(_records(tmp_path).values()) == [1]
