import pathlib

import pytest


@pytest.fixture
def write_model():
  """Returns a function that writes files in the layout of a SavedModel, and returns the folder."""

  def write(path: pathlib.Path, text: str = "weights") -> pathlib.Path:
    (path / "variables").mkdir(parents=True)
    (path / "assets").mkdir()
    (path / "saved_model.pb").write_bytes(b"graph")
    (path / "variables" / "variables.data-00000-of-00001").write_text(text)
    return path

  return write
