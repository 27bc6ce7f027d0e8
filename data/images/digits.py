"""Writes the sample pictures: 1,797 handwritten digits as PNGs in class folders.

The digits come with scikit-learn, so nothing is downloaded and the repository holds no binary
files. README.md gives the source, the licence and the changes.
"""

from __future__ import annotations

import pathlib

from data.sample_file import write_folder_once

# The year and month in which the data set was donated. See `data.sample_file`.
_MODIFIED_S = 899251200


def write_digits(target: str) -> str:
  """Writes `<target>/<digit>/<number>.png` if `target` does not exist.

  Args:
    target: path of the folder; it is created complete or not at all.

  Returns:
    `target`.

  Raises:
    OSError: the folder cannot be written.
  """
  return write_folder_once(target, _write, modified_s=_MODIFIED_S)


def _write(folder: pathlib.Path) -> None:
  from PIL import Image
  from sklearn import datasets

  digits = datasets.load_digits()
  # Values run from 0 to 16; 255 / 16 spreads them over the eight bits of a picture.
  pictures = (digits.images * (255 / 16)).round().astype("uint8")
  for number, (pixels, digit) in enumerate(zip(pictures, digits.target, strict=True)):
    path = folder / str(digit) / f"{number:04d}.png"
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)
