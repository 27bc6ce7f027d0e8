"""Checks the section `kubeflow` of a configuration, before the pipeline is built."""

from __future__ import annotations

import os
import pathlib
import re

from dlpipe.errors import BadInputError
from pipeline.orchestrators.kubeflow.section import KubeflowSection
from pipeline.settings.config import PipelineConfig

_ROOT_SCHEMES = ("gs://", "s3://", "minio://")
_CLAIM_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
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
  if not (kubeflow.pipeline_root or "").startswith(_ROOT_SCHEMES):
    raise BadInputError(
      "kubeflow.pipeline_root must name a place in an object store, where the backend keeps "
      f"artifacts: {', '.join(_ROOT_SCHEMES)}. Received: {kubeflow.pipeline_root!r}"
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
    if path is not None and not path.startswith("/"):
      raise BadInputError(f"kubeflow.{name} is a path in the containers. Received: {path!r}")
  if kubeflow.volume_claim is None and not kubeflow.workspace.startswith(_BUCKET_MOUNT):
    raise BadInputError(
      f"Nothing would keep kubeflow.workspace={kubeflow.workspace!r}: a container's disk goes with "
      "it. Name the PersistentVolumeClaim to mount there (kubeflow.volume_claim), or on Vertex AI "
      f"a folder in a bucket ({_BUCKET_MOUNT}BUCKET/FOLDER)."
    )
  if kubeflow.volume_claim is not None and not _CLAIM_NAME.fullmatch(kubeflow.volume_claim):
    raise BadInputError(
      f"kubeflow.volume_claim takes the name of a claim. Received: {kubeflow.volume_claim!r}"
    )
  if kubeflow.notify_url and not re.match(r"https?://[^/]+", kubeflow.notify_url):
    raise BadInputError(
      f"kubeflow.notify_url takes an http(s) address. Received: {kubeflow.notify_url!r}"
    )
