"""A node that an orchestrator wants run, or the end of a run, and how a worker is asked for it.

Imports no framework.

A worker listens on a UNIX socket. A client connects, sends one line of JSON together with its own
stdout and stderr, and gets a line back when the node begins, `{"process": 4711}`, and one when it
has ended, `{"exit_code": 0}`, negative where a signal ended it. What the node writes goes straight
to the client's streams. A client that goes away takes its node with it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import socket
from collections.abc import Mapping
from typing import Any

from dlpipe.errors import DlpipeError
from pipeline.execution import forks


@dataclasses.dataclass(frozen=True, kw_only=True)
class NodeRequest:
  """The options of `dlpipe node` or `dlpipe finish`; paths are absolute.

  Attributes:
    ir_file: the compiled pipeline.
    node_id: which of its nodes; None to finish the run.
    run_id: the run's name.
    mlmd: the metadata store's connection file; None for the store that the pipeline names.
    parameters: runtime parameters by name.
    as_json: whether the outcome is printed as JSON.
  """

  ir_file: str
  node_id: str | None
  run_id: str
  mlmd: str | None = None
  parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
  as_json: bool = False

  def to_json(self) -> dict[str, Any]:
    return dataclasses.asdict(self)

  def arguments(self) -> list[str]:
    """Returns the arguments of the command that runs this in its own process."""
    found = ["node" if self.node_id is not None else "finish", "--ir", self.ir_file]
    found += ["--node", self.node_id] if self.node_id is not None else []
    found += ["--run-id", self.run_id]
    found += ["--mlmd", self.mlmd] if self.mlmd is not None else []
    for name, value in self.parameters.items():
      found += ["--param", f"{name}={value}"]
    return found + (["--json"] if self.as_json else [])


def ask_worker(address: str, request: NodeRequest) -> int | None:
  """Has a worker run a node, and waits for its end.

  Args:
    address: path of the worker's socket.
    request: the node.

  Returns:
    The node's exit code; None if no worker took it.

  Raises:
    DlpipeError: the worker went away while the node was at work, or a signal ended the node.
  """
  with socket.socket(socket.AF_UNIX) as connection:
    try:
      connection.connect(address)
    except (FileNotFoundError, ConnectionRefusedError):
      return None
    except OSError as err:
      raise DlpipeError(f"Cannot connect to the worker at {address}: {err}.") from err
    message = {"request": request.to_json(), "cwd": os.getcwd(), "environment": dict(os.environ)}
    content = json.dumps(message).encode() + b"\n"
    try:
      sent = socket.send_fds(connection, [content], [1, 2])
      connection.sendall(content[sent:])
      answers = connection.makefile("rb")
      if not answers.readline():
        return None
    except OSError:
      return None
    try:
      answer = answers.readline()
    except OSError:
      answer = b""
  what = f"the node {request.node_id}" if request.node_id is not None else "the end of the run"
  again = "It can be run again with the same run id."
  if not answer:
    raise DlpipeError(f"The worker at {address} went away, and {what} with it. {again}")
  code: int = json.loads(answer)["exit_code"]
  if code < 0:
    raise DlpipeError(f"The process for {what} {forks.ending(code)}. {again}")
  return code
