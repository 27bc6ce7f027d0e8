"""What Kubernetes is told about the pods of a pipeline: volumes, secrets, variables, places.

The names are those of `kubernetes_platform/proto/kubernetes_executor_config.proto`, in the forms
that every backend since 2.0 reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.orchestrators.kubeflow.section import KubeflowSection, NodeResources, Toleration

EVERY_NODE = "default"  # in kubeflow.resources
_EXECUTOR = "_executor"  # what TFX puts behind a node's name


def resources_of(node: str, kubeflow: KubeflowSection) -> NodeResources | None:
  """Returns what a node is given; None if nothing is said of it."""
  return kubeflow.resources.get(node, kubeflow.resources.get(EVERY_NODE))


def platform(spec: Mapping[str, Any], kubeflow: KubeflowSection) -> dict[str, Any] | None:
  """Returns the document for Kubernetes beside a spec; None if it would say nothing.

  Args:
    spec: the compiled pipeline.
    kubeflow: the settings.
  """
  executors = {name: _pod(name, kubeflow) for name in spec["deploymentSpec"]["executors"]}
  told = {name: pod for name, pod in executors.items() if pod}
  if not told:
    return None
  return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": told}}}}


def _pod(executor: str, kubeflow: KubeflowSection) -> dict[str, Any]:
  pod: dict[str, Any] = {}
  if kubeflow.volume_claim:
    pod["pvcMount"] = [{"constant": kubeflow.volume_claim, "mountPath": kubeflow.workspace}]
  if kubeflow.secrets:
    pod["secretAsEnv"] = [
      {"secretName": secret, "keyToEnv": keys}
      for secret, keys in sorted(_by_secret(kubeflow.secrets).items())
    ]
  if kubeflow.image_pull_secrets:
    pod["imagePullSecret"] = [{"secretName": name} for name in kubeflow.image_pull_secrets]
  if kubeflow.image_pull_policy:
    pod["imagePullPolicy"] = kubeflow.image_pull_policy
  given = resources_of(executor.removesuffix(_EXECUTOR), kubeflow)
  if given is None:
    return pod
  if given.node_selector:
    pod["nodeSelector"] = {"labels": dict(given.node_selector)}
  if given.tolerations:
    pod["tolerations"] = [_toleration(each) for each in given.tolerations]
  if given.shared_memory_gb:
    # A container has 64 MB there unless a volume says otherwise.
    mount = {"volumeName": "shm", "mountPath": "/dev/shm", "medium": "Memory"}
    pod["emptyDirMounts"] = [{**mount, "sizeLimit": f"{round(given.shared_memory_gb * 1000)}M"}]
  return pod


def _by_secret(secrets: Mapping[str, str]) -> dict[str, list[dict[str, str]]]:
  found: dict[str, list[dict[str, str]]] = {}
  for variable, place in secrets.items():
    secret, _, key = place.partition("/")
    found.setdefault(secret, []).append({"secretKey": key, "envVar": variable})
  return found


def _toleration(given: Toleration) -> dict[str, Any]:
  values = {
    "key": given.key,
    "operator": given.operator,
    "value": given.value,
    "effect": given.effect,
    "tolerationSeconds": str(given.seconds) if given.seconds is not None else None,
  }
  return {name: value for name, value in values.items() if value is not None}
