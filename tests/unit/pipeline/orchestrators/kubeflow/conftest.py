"""A configuration that compiles, and the compiled documents."""

import pytest

from pipeline.settings.reading import make_config
from pipeline.tasks import get_task

SOURCES = {"images": "folder", "sentiment": "table", "translation": "tsv"}
_SETTINGS = (
  "kubeflow.image=registry.example.com/dlpipe-training:1",
  "kubeflow.pipeline_root=gs://bucket/pipelines",
  "kubeflow.volume_claim=dlpipe",
)


@pytest.fixture
def configured():
  """Returns a function from a task's name and further settings to its configuration."""

  def make(task, *settings):
    return make_config(
      get_task(task),
      data_path="/data",
      workspace="/elsewhere",
      settings=[*_SETTINGS, *settings],
    )

  return make


@pytest.fixture
def compiled(configured):
  """Returns a function from a task's name and further settings to the documents."""
  from pipeline.orchestrators.kubeflow.spec import make_documents

  def make(name, *settings):
    task, config = get_task(name), configured(name, *settings)
    return make_documents(
      task,
      config,
      source=task.sources[SOURCES[name]],
      params=config.params(task),
    )

  return make
