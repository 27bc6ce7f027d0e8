"""What Kubernetes is told about pods."""

import pytest

from pipeline.orchestrators.kubeflow.pods import platform
from pipeline.orchestrators.kubeflow.section import KubeflowSection

_SPEC = {"deploymentSpec": {"executors": {"Trainer_executor": {}}}}


@pytest.mark.parametrize(
  ("gigabytes", "quantity"), [(0.001, "1M"), (0.0642, "64M"), (1.5, "1500M"), (1000, "1000000M")]
)
def test_shared_memory_is_a_quantity_that_kubernetes_reads(gigabytes, quantity):
  section = KubeflowSection(resources={"Trainer": {"shared_memory_gb": gigabytes}})
  told = platform(_SPEC, section)
  pod = told["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["Trainer_executor"]
  [mount] = pod["emptyDirMounts"]
  assert mount["sizeLimit"] == quantity
