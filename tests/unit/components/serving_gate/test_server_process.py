"""What a server that did not start is quoted with. Real servers: `tests/component/`."""

import pytest

from components.serving_gate.server_process import ServerFailed, ServerProcess


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


def test_of_a_long_log_the_end_is_kept(tmp_path):
  log = tmp_path / "log"
  server = ServerProcess(model_name="m", base_path=tmp_path, log=log)
  assert server.log_text() == ""
  log.write_text("x" * 100_000 + "end")
  assert len(server.log_text()) == 65_536
  assert server.log_text().endswith("xend")
