"""`RunNotice`: tells an address how a run ended; the exit handler of a Kubeflow pipeline."""

# No `from __future__ import annotations` here: `@component` reads real annotations.
import json
import os
import string
import urllib.error
import urllib.request

from tfx.dsl.component.experimental.annotations import Parameter
from tfx.dsl.component.experimental.decorators import component

from dlpipe.errors import BadInputError, DlpipeError

_TIMEOUT_S = 30


@component
def RunNotice(  # noqa: N802 - TFX takes the component's class name from the function
  pipeline_name: Parameter[str],
  url: Parameter[str],
  final_status: Parameter[str],
):
  """Posts `{"pipeline", "state", "error"}` as JSON; `state` is the backend's word for it.

  Args:
    pipeline_name: copied into the notice.
    url: an http(s) address; `${NAME}` stands for a variable of the environment.
    final_status: a `PipelineTaskFinalStatus` as JSON, which the backend fills in.

  Raises:
    BadInputError: the status is not JSON, or a variable of the address is not set.
    DlpipeError: the address did not take the notice.
  """
  told = string.Template(url).safe_substitute(os.environ)
  if "${" in told:
    raise BadInputError(f"A variable of the address {url!r} is not set in this container.")
  try:
    status = json.loads(final_status)
  except ValueError as err:
    raise BadInputError(f"Expected a final status as JSON. Received: {final_status!r}") from err
  notice = {
    "pipeline": pipeline_name,
    "state": status.get("state", "UNKNOWN"),
    "error": (status.get("error") or {}).get("message", ""),
  }
  request = urllib.request.Request(
    told,
    data=json.dumps(notice).encode("utf-8"),
    headers={"Content-Type": "application/json"},
    method="POST",
  )
  try:
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
      pass
  except (urllib.error.URLError, TimeoutError) as err:
    raise DlpipeError(f"{url} did not take the notice {notice}: {err}") from err
