"""Writes the sample pictures: 1,797 handwritten digits as PNGs in class folders.

The digits come with scikit-learn, so nothing is downloaded and the repository holds no binary
files. README.md gives the source, the licence and the changes.
"""

from __future__ import annotations

import os
import shutil
import tempfile

# The year and month in which the data set was donated. A fixed time gives the files the same
# fingerprint on every machine, and after the folder was deleted and written again.
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
  if os.path.isdir(target):
    return target
  from PIL import Image
  from sklearn import datasets

  digits = datasets.load_digits()
  parent = os.path.dirname(os.path.abspath(target))
  os.makedirs(parent, exist_ok=True)
  partial = tempfile.mkdtemp(prefix=".digits-", dir=parent)
  try:
    # Values run from 0 to 16; 255 / 16 spreads them over the eight bits of a picture.
    pictures = (digits.images * (255 / 16)).round().astype("uint8")
    for number, (pixels, digit) in enumerate(zip(pictures, digits.target, strict=True)):
      folder = os.path.join(partial, str(digit))
      os.makedirs(folder, exist_ok=True)
      path = os.path.join(folder, f"{number:04d}.png")
      Image.fromarray(pixels).save(path)
      os.utime(path, (_MODIFIED_S, _MODIFIED_S))
    os.chmod(partial, 0o755)
    try:
      os.rename(partial, target)
    except OSError:
      # Another process was first; its folder is complete, because a rename is atomic.
      if not os.path.isdir(target):
        raise
  finally:
    shutil.rmtree(partial, ignore_errors=True)
  return target
