"""The names that Kubernetes and the backend take; wrong ones fail only when a pipeline runs there.

Sources: kubernetes `apimachinery/pkg/util/validation`, kubeflow/pipelines
`backend/src/v2/driver/k8s.go`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dlpipe.errors import BadInputError
from pipeline.orchestrators.kubeflow import run_notes
from pipeline.orchestrators.kubeflow.section import KubeflowSection, NodeResources

_LABEL_OF_DNS = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
_WORD = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
# The backend calls a volume as its claim, and volumes have shorter names than claims.
_CLAIM = re.compile(_LABEL_OF_DNS)
_SECRET = re.compile(rf"(?!.{{254}}){_NAME}")
_KEY_OF_SECRET = re.compile(rf"(?![^/]{{254}}){_NAME}/(?!\.\.?$)[A-Za-z0-9._-]{{1,253}}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PIPELINE = re.compile(r"[a-z][a-z0-9-]{0,127}")
_LABEL = re.compile(rf"((?![^/]{{254}}){_NAME}/)?{_WORD}")
_LABEL_VALUE = re.compile(rf"({_WORD})?")
_GPU_OF_KUBERNETES = re.compile(rf"(?![^/]{{254}}){_NAME}/{_WORD}")
_GPU_OF_VERTEX = re.compile(r"[A-Z0-9_]+")
_IMAGE = re.compile(
  r"([\w.-]+(:\d+)?/)?[a-z0-9._-]+(/[a-z0-9._-]+)*(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?",
  re.ASCII,
)
_FOLDER = re.compile(r"/(?!.*(^|/)\.\.(/|$))[^:\s]*[^:\s/][^:\s]*")
# Set in every container: by the spec, and by the backend for its own program in it.
_TAKEN = (run_notes.NODE, run_notes.PRODUCERS, run_notes.PIPELINE)
_OF_BACKEND = ("KFP_", "METADATA_GRPC_SERVICE_")


def check(kubeflow: KubeflowSection) -> None:
  """Checks every name.

  Raises:
    BadInputError: a name that is refused there, or that would not mean what it says.
  """
  for what, pattern, name in _names(kubeflow):
    if not pattern.fullmatch(name):
      raise BadInputError(f"{what}. Received: {name!r}")
  variables = [*kubeflow.env, *kubeflow.secrets]
  if twice := sorted(set(kubeflow.env) & set(kubeflow.secrets)):
    raise BadInputError(f"kubeflow.env and kubeflow.secrets both set {', '.join(twice)}.")
  if taken := [name for name in variables if name in _TAKEN or name.startswith(_OF_BACKEND)]:
    raise BadInputError(
      f"kubeflow.env and kubeflow.secrets cannot set {taken[0]}: every container has one of its "
      f"own. Reserved: {', '.join(_TAKEN)}, and what begins with {' or '.join(_OF_BACKEND)}."
    )
  for name, value in kubeflow.env.items():
    if "\0" in value:
      raise BadInputError(
        f"kubeflow.env: the value of {name} has a zero byte, which no variable has."
      )


def _names(kubeflow: KubeflowSection) -> Iterator[tuple[str, re.Pattern[str], str]]:
  """Yields what is taken, the pattern of it, and what was given."""
  image = "kubeflow.image takes the name of an image, such as registry.example.com/training:1"
  yield image, _IMAGE, kubeflow.image or ""
  folder = "kubeflow.workspace takes a folder below /, without ':', spaces and '..'"
  yield folder, _FOLDER, kubeflow.workspace
  if kubeflow.volume_claim is not None:
    claim = "kubeflow.volume_claim takes the name of a claim: at most 63 of a-z, 0-9 and '-'"
    yield claim, _CLAIM, kubeflow.volume_claim
  if kubeflow.pipeline_name is not None:
    said = "kubeflow.pipeline_name takes at most 128 small letters, digits and '-', a letter first"
    yield said, _PIPELINE, kubeflow.pipeline_name
  for name in (*kubeflow.env, *kubeflow.secrets):
    yield "kubeflow.env and kubeflow.secrets take names of variables", _VARIABLE, name
  for place in kubeflow.secrets.values():
    said = "kubeflow.secrets takes SECRET/KEY, such as store/password, each at most 253 letters"
    yield said, _KEY_OF_SECRET, place
  for name in kubeflow.image_pull_secrets:
    said = "kubeflow.image_pull_secrets takes names of secrets: a-z, 0-9, '-' and '.'"
    yield said, _SECRET, name
  for node, given in kubeflow.resources.items():
    yield from _of_resources(f"of kubeflow.resources.{node}", given, kubeflow)


def _of_resources(
  of_node: str, given: NodeResources, kubeflow: KubeflowSection
) -> Iterator[tuple[str, re.Pattern[str], str]]:
  for key, value in given.node_selector.items():
    yield f"node_selector {of_node} takes labels of machines", _LABEL, key
    yield f"node_selector {of_node} takes labels' values", _LABEL_VALUE, value
  for toleration in given.tolerations:
    if toleration.key is not None:
      yield f"tolerations {of_node} take keys of taints", _LABEL, toleration.key
    yield f"tolerations {of_node} take values of taints", _LABEL_VALUE, toleration.value or ""
  if given.gpu and kubeflow.volume_claim is not None:
    said = f"gpu_type {of_node} is a resource of Kubernetes, such as nvidia.com/gpu"
    yield said, _GPU_OF_KUBERNETES, given.gpu_type
  elif given.gpu:
    yield (
      f"gpu_type {of_node} is Vertex AI's, such as NVIDIA_TESLA_T4",
      _GPU_OF_VERTEX,
      given.gpu_type,
    )
