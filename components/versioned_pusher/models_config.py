"""Writes the labels of versions where model servers read them: a `ModelServerConfig` as text.

Two files with the same labels: `models.config` in the task's folder names the versions by their
path on this machine, for `dlpipe serve`; the one in the served directory names them as a container
does that mounts the directory at `/models/<task>`. A server polls its file.

Source: tensorflow_serving/config/model_server_config.proto.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from components.versioned_pusher.version_folders import list_versions
from dlpipe.disk.whole_files import FOR_OTHERS, write_whole
from dlpipe.workspace import TaskFolder

# For labels of versions that are still being loaded when a server starts.
ALLOW_FLAG = "--allow_version_labels_for_unavailable_models"


def write(folder: TaskFolder, labels: Mapping[str, int]) -> None:
  """Writes both files, each whole or not at all; without labels, deletes them.

  Args:
    folder: the task's.
    labels: label to version; versions that are not there are left out.
  """
  versions = list_versions(folder.serving)
  there = {label: number for label, number in labels.items() if number in versions}
  inside = folder.serving / folder.models_config.name
  if not there:
    for path in (folder.models_config, inside):
      path.unlink(missing_ok=True)
    return
  # One more than the labels need, so that the next version is loaded before the labels move to it.
  loaded = sum(number >= min(there.values()) for number in versions) + 1
  for path, base in (
    (folder.models_config, str(folder.serving)),
    (inside, f"/models/{folder.task}"),
  ):
    write_whole(path, _text(folder.task, base, loaded, there), mode=FOR_OTHERS)


def _text(task: str, base_path: str, loaded: int, labels: Mapping[str, int]) -> str:
  lines = [
    f"    version_labels {{ key: {_quoted(label)} value: {number} }}\n"
    for label, number in sorted(labels.items())
  ]
  return (
    "# Written by dlpipe with each change of a label; servers poll it.\n"
    "model_config_list {\n"
    "  config {\n"
    f"    name: {_quoted(task)}\n"
    f"    base_path: {_quoted(base_path)}\n"
    '    model_platform: "tensorflow"\n'
    f"    model_version_policy {{ latest {{ num_versions: {loaded} }} }}\n"
    f"{''.join(lines)}"
    "  }\n"
    "}\n"
  )


def _quoted(text: str) -> str:
  """Quotes a text for protobuf's text format, whose escapes of letters are not those of JSON."""
  return json.dumps(text, ensure_ascii=False)
