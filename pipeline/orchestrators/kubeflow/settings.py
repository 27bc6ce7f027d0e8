"""Checks the section `kubeflow` of a configuration, before the pipeline is built."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Iterator

from dlpipe.errors import BadInputError
from dlpipe.remote.addresses import is_remote
from pipeline.orchestrators.kubeflow import names
from pipeline.orchestrators.kubeflow.section import KubeflowSection
from pipeline.settings.config import PipelineConfig

_ROOT = re.compile(r"(gs|s3|minio)://[^/\s]+(/\S*)?")
_BUCKET_MOUNT = "/gcs/"  # Vertex AI mounts every bucket there


def check(config: PipelineConfig, output: str | os.PathLike[str]) -> None:
  """Checks that the backends accept the settings.

  Raises:
    BadInputError: a setting is missing, or no backend can run with it.
  """
  kubeflow = config.section(KubeflowSection)
  if pathlib.Path(output).suffix not in (".yaml", ".yml"):
    raise BadInputError(
      f"A Kubeflow spec is YAML: -o takes a name that ends with .yaml. Received: {str(output)!r}"
    )
  if not kubeflow.image:
    raise BadInputError(
      "kubeflow.image must name the image that every node runs in, such as "
      "registry.example.com/dlpipe-training:1. deploy/docker/training.Dockerfile builds it."
    )
  if not _ROOT.fullmatch(kubeflow.pipeline_root or ""):
    raise BadInputError(
      "kubeflow.pipeline_root must name a place in an object store, where the backend keeps "
      f"artifacts: gs://BUCKET, s3://BUCKET or minio://BUCKET. Received: {kubeflow.pipeline_root!r}"
    )
  if config.beam.runner != "direct" and not str(kubeflow.pipeline_root).startswith("gs://"):
    raise BadInputError(
      f"Workers of beam.runner={config.beam.runner} read artifacts by their addresses, and can "
      f"read gs:// only. Received: kubeflow.pipeline_root={kubeflow.pipeline_root!r}"
    )
  if config.spans is not None or config.train.warm_start:
    what = "train.warm_start" if config.train.warm_start else "--data in spans"
    raise BadInputError(
      f"{what} needs a workspace that all runs share, and Kubeflow's containers have none. Leave "
      "it out, or compile for Airflow."
    )
  if config.metadata.connection_file:
    raise BadInputError(
      "metadata.connection_file has no meaning on Kubeflow: the backend keeps its own metadata. "
      "Leave it out."
    )
  for name in ("workspace", "data_path"):
    path = getattr(kubeflow, name)
    is_address = name == "data_path" and is_remote(path or "")
    if path is not None and not path.startswith("/") and not is_address:
      raise BadInputError(f"kubeflow.{name} is a path in the containers. Received: {path!r}")
  if kubeflow.volume_claim is None and not kubeflow.workspace.startswith(_BUCKET_MOUNT):
    raise BadInputError(
      f"Nothing would keep kubeflow.workspace={kubeflow.workspace!r}: a container's disk goes with "
      "it. Name the PersistentVolumeClaim to mount there (kubeflow.volume_claim), or on Vertex AI "
      f"a folder in a bucket ({_BUCKET_MOUNT}BUCKET/FOLDER)."
    )
  names.check(kubeflow)
  _check_notify_url(kubeflow)
  if kubeflow.volume_claim is None and (ignored := sorted(_of_kubernetes(kubeflow))):
    raise BadInputError(
      f"Vertex AI, for which kubeflow.workspace={kubeflow.workspace!r} is, does not read "
      f"{', '.join(ignored)}. Leave it out, or name a volume (kubeflow.volume_claim)."
    )


def _check_notify_url(kubeflow: KubeflowSection) -> None:
  url = kubeflow.notify_url
  if not url:
    return
  variables = re.findall(r"\$\{([^}]*)\}", url)
  if unknown := [n for n in variables if n not in kubeflow.env and n not in kubeflow.secrets]:
    raise BadInputError(
      f"kubeflow.notify_url names {unknown[0]!r}, which neither kubeflow.env nor kubeflow.secrets "
      "sets."
    )
  if not re.match(r"https?://[^/]+|\$\{", url):
    raise BadInputError(f"kubeflow.notify_url takes an http(s) address. Received: {url!r}")


def _of_kubernetes(kubeflow: KubeflowSection) -> Iterator[str]:
  """Yields the settings that only Kubernetes reads."""
  for name in ("secrets", "image_pull_secrets", "image_pull_policy"):
    if getattr(kubeflow, name):
      yield f"kubeflow.{name}"
  for node, given in kubeflow.resources.items():
    if given.needs_kubernetes:
      yield f"shared_memory_gb, node_selector and tolerations of kubeflow.resources.{node}"
