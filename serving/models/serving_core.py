"""The server without a protocol: the models that are configured, and the version a request means.

Both faces call it; it knows neither of them. Source: tensorflow_serving/model_servers/{server_core,
get_model_status_impl,model_service_impl}.cc.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from serving.errors import FailedPrecondition, InvalidArgument, NotFound, ServingError, Unknown
from serving.models.lifecycle import ModelManager, VersionStatus
from serving.models.model_config import ModelConfig, read_config
from serving.models.servable import ModelSpec, Servable
from serving.models.version_source import VersionSource

if TYPE_CHECKING:
  from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig


class ServingCore:
  """The configured models and their labels."""

  def __init__(
    self,
    manager: ModelManager,
    source: VersionSource,
    *,
    allow_labels_for_unavailable: bool = False,
  ):
    """Serves nothing yet.

    Args:
      manager: loads and holds the versions.
      source: finds the versions.
      allow_labels_for_unavailable: whether a label may be given before its version is available.
    """
    self._manager = manager
    self._source = source
    self._allow_labels_for_unavailable = allow_labels_for_unavailable
    self._models: dict[str, ModelConfig] = {}
    self._labels: Mapping[tuple[str, str], int] = {}
    self._reloading = threading.Lock()

  def acquire(self, spec: ModelSpec) -> Servable:
    """Returns the version that a request means, to use in a `with` block.

    Raises:
      InvalidArgument: the request has no name, or a label that no version has.
      NotFound: the version is not loaded.
    """
    if not spec.name:
      raise InvalidArgument("ModelSpec has no name specified.")
    version = spec.version
    if spec.label is not None:
      version = self._labels.get((spec.name, spec.label))
      if version is None:
        raise InvalidArgument(f"Unrecognized servable version label: {spec.label}")
    return self._manager.acquire(spec.name, version)

  def names(self) -> list[str]:
    """Returns the models that are configured, in alphabetical order."""
    return sorted(self._models)

  def statuses(self, spec: ModelSpec) -> list[VersionStatus]:
    """Returns the status of one version, or of all; ignores a label.

    Raises:
      InvalidArgument: the request has no name.
      NotFound: there is no such model or version.
    """
    if not spec.name:
      raise InvalidArgument("ModelSpec has no name specified.")
    found = self._manager.statuses(spec.name)
    if spec.version is None:
      if not found:
        raise NotFound(f"Could not find any versions of model {spec.name}")
      return found
    found = [status for status in found if status.version == spec.version]
    if not found:
      raise NotFound(f"Could not find version {spec.version} of model {spec.name}")
    return found

  def configure(self, config: ModelServerConfig, timeout_s: float | None = None) -> None:
    """Replaces what is served and returns when every new model has an available version.

    Args:
      config: the models.
      timeout_s: seconds to wait for new models; None waits until they are available or have failed.

    Raises:
      InvalidArgument: the configuration is wrong; nothing has changed.
      FailedPrecondition: a label is for a version that is not available; nothing has changed.
      Unknown: new models cannot be loaded; the rest has changed.
    """
    self._configure(config, timeout_s, "model(s)")

  def _configure(self, config: ModelServerConfig, timeout_s: float | None, what: str) -> None:
    with self._reloading:
      models = read_config(config, self._models.keys())
      labels = self._checked_labels(models)
      new = [model.name for model in models if model.name not in self._models]
      self._models = {model.name: model for model in models}
      self._labels = labels
      self._source.set_models(models)
    self._wait(new, timeout_s, what)

  def start(self, config: ModelServerConfig) -> None:
    """Configures for the first time; goes on looking for versions from then on.

    Raises:
      ServingError: as `configure`.
    """
    self._source.start()
    self._configure(config, None, "servable(s)")

  def stop(self) -> None:
    """Unloads everything; requests in flight end first."""
    self._source.stop()
    self._manager.close()

  def _wait(self, names: Iterable[str], timeout_s: float | None, what: str) -> None:
    failed = self._manager.wait_until_available(names, timeout_s)
    if failed:
      shown = "".join(
        f"{{name: {name} version: {status.version}}} due to error: {_text(status.error)}}}, "
        for name, status in sorted(failed.items())
      )
      raise Unknown(f"{len(failed)} {what} did not become available: {{{shown}}}")

  def _checked_labels(self, models: Iterable[ModelConfig]) -> dict[tuple[str, str], int]:
    labels = {}
    for model in models:
      for label, version in model.labels.items():
        key = (model.name, label)
        is_allowed = self._allow_labels_for_unavailable and self._labels.get(key) in (None, version)
        if not is_allowed and not self._manager.is_available(model.name, version):
          raise FailedPrecondition(
            f"Request to assign label to version {version} of model {model.name}, which is not "
            "currently available for inference"
          )
        labels[key] = version
    return labels


def _text(error: ServingError | None) -> str:
  return f"{error.grpc_code}: {error}" if error is not None else "OK"
