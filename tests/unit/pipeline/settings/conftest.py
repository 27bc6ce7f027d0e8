"""Configurations of the images task."""

import pytest

from pipeline.settings.reading import make_config
from pipeline.tasks.images.task import TASK


@pytest.fixture
def make():
  """Returns a function from `--set` items and arguments of `make_config` to a configuration."""

  def made(*settings, **options):
    given = {"data_path": "d", "workspace": "w", "settings": settings, **options}
    return make_config(TASK, **given)

  return made


@pytest.fixture
def config_file(tmp_path):
  """Returns a function that writes a file for `--config`, and returns its path."""

  def write(text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return str(path)

  return write
