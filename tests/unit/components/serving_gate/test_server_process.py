"""What a server that did not start is quoted with. Real servers: `tests/component/`."""

import pytest

from components.serving_gate.server_process import ServerFailed, ServerProcess, ServerRefused


@pytest.mark.parametrize(
  ("said", "quoted"),
  [
    (
      "W noise\nFailed to start server. Error: NOT_FOUND: no table\nmore noise\n",
      "NOT_FOUND: no table",
    ),
    (
      "Traceback:\nImportError: No module named serving\n\n",
      "ImportError: No module named serving",
    ),
    ("", "it said nothing"),
  ],
)
def test_the_servers_own_reason_is_quoted(tmp_path, monkeypatch, said, quoted):
  # `false` takes the interpreter's place: it ends at once with code 1.
  monkeypatch.setattr("components.serving_gate.server_process.sys.executable", "false")
  server = ServerProcess(model_name="m", base_path=tmp_path, log=tmp_path / "log")
  monkeypatch.setattr(server, "log_text", lambda: said)
  with pytest.raises(ServerFailed) as error, server:
    pass
  assert str(error.value) == f"ended with exit code 1: {quoted}"


_REFUSES = "Failed to start server. Error: NOT_FOUND: Could not find variable"
_NO_PORT = "Failed to start server. Error: UNAVAILABLE: Cannot listen on 127.0.0.1:1"


@pytest.mark.parametrize(
  ("ends", "said", "is_refused", "shown"),
  [
    ("exit 255", _REFUSES, True, "exit code 255"),
    ("kill -SEGV $$", "", True, "signal SIGSEGV"),
    ("kill -ABRT $$", "", True, "signal SIGABRT"),
    # Of the machine, and not of the model.
    ("kill -KILL $$", "", False, "signal SIGKILL"),
    ("kill -TERM $$", "", False, "signal SIGTERM"),
    ("exit 255", _NO_PORT, False, "exit code 255"),
    ("exit 1", "ImportError: libcuda.so.1: out of memory", False, "exit code 1"),
  ],
)
def test_what_ends_a_server_is_told_from_what_is_wrong_with_a_model(
  tmp_path, monkeypatch, ends, said, is_refused, shown
):
  fake = tmp_path / "python"
  fake.write_text(f"#!/bin/sh\n{ends}\n")
  fake.chmod(0o755)
  monkeypatch.setattr("components.serving_gate.server_process.sys.executable", str(fake))
  server = ServerProcess(model_name="m", base_path=tmp_path, log=tmp_path / "log")
  monkeypatch.setattr(server, "log_text", lambda: said)
  with pytest.raises(ServerFailed) as error, server:
    pass
  assert isinstance(error.value, ServerRefused) is is_refused
  assert str(error.value).startswith(f"ended with {shown}: ")


def test_of_a_long_log_the_end_is_kept(tmp_path):
  log = tmp_path / "log"
  server = ServerProcess(model_name="m", base_path=tmp_path, log=log)
  assert server.log_text() == ""
  log.write_text("x" * 100_000 + "end")
  assert len(server.log_text()) == 65_536
  assert server.log_text().endswith("xend")
