"""Reads and checks a ModelServerConfig: the models, their base paths, versions and labels.

Source: tensorflow_serving/model_servers/server_core.cc, tensorflow_serving/config/
model_server_config.proto.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from serving.errors import InvalidArgument

if TYPE_CHECKING:
  from tensorflow_serving.config import model_server_config_pb2

TENSORFLOW = "tensorflow"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_MOST_NAME = 255
_LEGACY_PLATFORMS = {1: TENSORFLOW}  # ModelType.TENSORFLOW


@dataclasses.dataclass(frozen=True, kw_only=True)
class VersionPolicy:
  """The versions to serve: the newest ones, some by number, or all.

  Attributes:
    latest: how many of the newest; 0 if another rule holds.
    specific: numbers of versions; empty if another rule holds.
  """

  latest: int = 1
  specific: frozenset[int] = frozenset()

  def choose(self, found: Mapping[int, pathlib.Path]) -> dict[int, pathlib.Path]:
    """Returns the versions of `found` to serve, ascending."""
    numbers = sorted(found)
    if self.specific:
      numbers = [number for number in numbers if number in self.specific]
    elif self.latest:
      numbers = numbers[-self.latest :]
    return {number: found[number] for number in numbers}


LATEST = VersionPolicy()
ALL = VersionPolicy(latest=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelConfig:
  """One served model.

  Attributes:
    name: the name that requests use.
    base_path: the folder of its versions.
    policy: which versions to serve.
    labels: label to version.
  """

  name: str
  base_path: str
  policy: VersionPolicy = dataclasses.field(default_factory=VersionPolicy)
  labels: Mapping[str, int] = dataclasses.field(default_factory=dict)


def read_config(
  config: model_server_config_pb2.ModelServerConfig, current: Collection[str] = ()
) -> list[ModelConfig]:
  """Checks a `ModelServerConfig` and makes plain records of it.

  Args:
    config: the message.
    current: names of the models that are served now.

  Raises:
    InvalidArgument: a model is wrong; says what is wrong with the first one, in TensorFlow
      Serving's words.
  """
  if config.WhichOneof("config") != "model_config_list":
    raise InvalidArgument(
      "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is "
      "currently supported"
    )
  models: dict[str, ModelConfig] = {}
  for entry in config.model_config_list.config:
    if entry.name in models:
      raise InvalidArgument(f"Illegal to list model {entry.name} multiple times in config list")
    models[entry.name] = _read_model(entry, entry.name in current)
  return list(models.values())


def _check_name(what: str, name: str) -> None:
  """Refuses a name that no request can use, or that a log would show as something else.

  Not in TensorFlow Serving, which takes any.
  """
  if len(name) > _MOST_NAME:
    raise InvalidArgument(
      f"{what} may have {_MOST_NAME} characters. Received {len(name)}: {name[:40]!r}..."
    )
  if not name.isprintable() or name in (".", ".."):
    raise InvalidArgument(f"{what} must be printable, and not . or .. . Received: {name!a}")


def _read_model(entry: model_server_config_pb2.ModelConfig, is_served: bool) -> ModelConfig:
  _check_name("A model's name", entry.name)
  for label in entry.version_labels:
    _check_name("A version's label", label)
  if not entry.base_path.startswith("/") and not _URI.match(entry.base_path):
    raise InvalidArgument(
      f"Expected model {entry.name} to have an absolute path or URI; got "
      f"base_path()={entry.base_path}"
    )
  if not entry.base_path.startswith("/"):
    raise InvalidArgument(
      f"This server reads models from local folders. Received for model {entry.name}: "
      f"base_path()={entry.base_path}. Mount it, or serve it with TensorFlow Serving."
    )
  platform = entry.model_platform or _LEGACY_PLATFORMS.get(entry.model_type, "")
  if not platform:
    raise InvalidArgument(
      "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
      f"ModelServerConfig::model_platform, model name is {entry.name}"
    )
  if platform != TENSORFLOW and is_served:
    raise InvalidArgument(
      f"Illegal to change a model's platform. For model {entry.name} platform was {TENSORFLOW} and "
      f"new platform requested is {platform}"
    )
  if platform != TENSORFLOW:
    raise InvalidArgument(f"Model {entry.name} requests unsupported platform {platform}")
  return ModelConfig(
    name=entry.name,
    base_path=entry.base_path,
    policy=_read_policy(entry),
    labels=dict(entry.version_labels),
  )


def _read_policy(entry: Any) -> VersionPolicy:
  policy = entry.model_version_policy
  choice = policy.WhichOneof("policy_choice")
  if choice == "all":
    return ALL
  if choice == "specific":
    if not policy.specific.versions:
      raise InvalidArgument(
        f"A specific version policy was chosen for model {entry.name} but no versions are listed."
      )
    return VersionPolicy(latest=0, specific=frozenset(policy.specific.versions))
  return VersionPolicy(latest=policy.latest.num_versions or 1)
