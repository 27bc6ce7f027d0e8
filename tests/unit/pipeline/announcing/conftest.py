"""The record of a run, and real servers on loopback that take what is sent."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import threading

import pytest

from dlpipe.verdicts import Ruling
from pipeline.runs.report_data import ReportData
from pipeline.runs.result import ComponentResult, RunResult
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task

SKILL = Ruling(
  metric="skill", bound=">= 0.3", value=0.75, passed=True, reason="", interval=(0.7, 0.8)
)


@pytest.fixture
def record(tmp_path):
  """Returns a function to the record of a run, from changes of its result."""

  def make(**changes):
    result = RunResult(
      run_id="20260101-000000-abcd",
      task="images",
      state="pushed",
      pushed_version=7,
      serving_dir=str(tmp_path / "images" / "serving"),
      metrics={"accuracy": 0.9, "skill": 0.75},
      gates=[SKILL],
      components=[ComponentResult(id="Trainer", state="COMPLETE", seconds=3.5, peak_rss_mb=512.0)],
      examples={"train": 80, "eval": 10, "quarantined": 2},
      report=str(tmp_path / "images" / "reports" / "20260101-000000-abcd.html"),
    )
    return ReportData(
      result=dataclasses.replace(result, **changes),
      started="2026-01-01T00:00:00+00:00",
      data_path="/data/pictures",
      hyperparameters={"epochs": 3, "dropout": 0.25},
      versions={"tensorflow": "2.16.2"},
    )

  return make


@pytest.fixture
def settings(tmp_path):
  """Returns a function from `--set` items to a configuration of the images task."""

  def make(*items):
    return make_config(
      get_task("images"), data_path="/data/pictures", workspace=str(tmp_path), settings=items
    )

  return make


class _Server(http.server.ThreadingHTTPServer):
  daemon_threads = True
  block_on_close = False


@pytest.fixture
def web():
  """Returns a function from the codes to answer with, the last one repeated, to a server.

  It yields the address and the list of requests: path, headers and JSON.
  """
  with contextlib.ExitStack() as stack:

    def start(*codes, wait=None):
      taken = []

      class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
          body = self.rfile.read(int(self.headers["Content-Length"]))
          taken.append((self.path, dict(self.headers), json.loads(body)))
          if wait is not None:
            wait.wait()
          self.send_response(codes[min(len(taken), len(codes)) - 1])
          self.send_header("Location", "http://127.0.0.1:9/elsewhere")
          self.send_header("Content-Length", "0")
          self.end_headers()

        def log_message(self, *_):
          pass

      server = _Server(("127.0.0.1", 0), Handler)
      threading.Thread(target=server.serve_forever, daemon=True).start()
      stack.callback(server.server_close)
      stack.callback(server.shutdown)
      return f"http://127.0.0.1:{server.server_port}", taken

    yield start
