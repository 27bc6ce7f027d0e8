"""Fixtures that more than one test package uses: real data sets, and pictures made on the spot."""

from __future__ import annotations

import io
import os
import pathlib

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def dataset():
  """Returns a function from a public data set's name to its path; skips where it is absent."""
  home = pathlib.Path(os.environ.get("DLPIPE_DATASETS") or _ROOT.parent / "shared" / "datasets")

  def find(name: str) -> str:
    path = home / name
    if not path.exists():
      pytest.skip(f"the data set {name} is not at {home}; set DLPIPE_DATASETS")
    return str(path)

  return find


@pytest.fixture(scope="session")
def make_picture():
  """Returns a function that encodes a picture whose pixels depend on `seed`."""
  import numpy as np
  from PIL import Image

  def make(
    kind: str = "PNG",
    *,
    width: int = 12,
    height: int = 10,
    mode: str = "RGB",
    seed: int = 0,
    **save,
  ) -> bytes:
    channels = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4, "I;16": 1, "LA": 2}[mode]
    random = np.random.default_rng(seed)
    if mode == "I;16":
      pixels = random.integers(0, 65536, (height, width), dtype=np.uint16)
    else:
      pixels = random.integers(0, 256, (height, width, channels), dtype=np.uint8)
    picture = Image.frombytes(mode, (width, height), pixels.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, kind, **save)
    return buffer.getvalue()

  return make


@pytest.fixture
def class_folders(tmp_path, make_picture):
  """Returns a function that writes `count` PNGs for each class folder and returns their root."""

  def write(*folders: str, count: int = 3, root: str = "pictures") -> pathlib.Path:
    for number, folder in enumerate(folders):
      target = tmp_path / root / folder
      target.mkdir(parents=True)
      for i in range(count):
        (target / f"{i}.png").write_bytes(make_picture(seed=1000 * number + i))
    return tmp_path / root

  return write
