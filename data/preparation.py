"""Converts unpacked public data sets to layouts that the tasks read.

Each function gets the folder of one data set before the folder gets its final name, so a failure
leaves no incomplete data set. Imports only the standard library, and Pillow to write pictures.
"""

from __future__ import annotations

import pathlib
import shutil

# In the order of the labels 0 to 9 in the data set's README.
_CLOTHES = (
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
)
_SIDE = 32
_PIXELS = _SIDE * _SIDE
_RECORD_BYTES = 1 + 3 * _PIXELS


def name_fashion_mnist(folder: pathlib.Path) -> None:
  """Adds `labels.txt` with the classes' names; the four files stay as they are."""
  (folder / "labels.txt").write_text("".join(f"{name}\n" for name in _CLOTHES), encoding="utf-8")


def draw_cifar10(folder: pathlib.Path) -> None:
  """Writes every record as `train/<class>/<number>.png` or `test/...`; pixels are unchanged."""
  source = folder / "cifar-10-batches-bin"
  names = (source / "batches.meta.txt").read_text(encoding="ascii").split()
  for split, pattern in (("train", "data_batch_*.bin"), ("test", "test_batch.bin")):
    number = 0
    for batch in sorted(source.glob(pattern)):
      content = batch.read_bytes()
      for start in range(0, len(content), _RECORD_BYTES):
        record = content[start : start + _RECORD_BYTES]
        _draw(record, folder / split / names[record[0]] / f"{number:05d}.png")
        number += 1
  shutil.rmtree(source)


def _draw(record: bytes, path: pathlib.Path) -> None:
  from PIL import Image

  planes = [
    Image.frombytes("L", (_SIDE, _SIDE), record[1 + c * _PIXELS : 1 + (c + 1) * _PIXELS])
    for c in range(3)
  ]
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.merge("RGB", planes).save(path)


def recode_mr_polarity(folder: pathlib.Path) -> None:
  """Writes the two files as UTF-8; they are published as Windows-1252."""
  for file in (folder / "rt-polaritydata").glob("rt-polarity.*"):
    file.write_bytes(file.read_bytes().decode("cp1252").encode("utf-8"))


def trim_multi30k(folder: pathlib.Path) -> None:
  """Removes the empty last line of some files, which would be read as an empty pair."""
  for file in sorted((*folder.glob("*.en"), *folder.glob("*.de"))):
    file.write_bytes(file.read_bytes().rstrip(b"\n") + b"\n")
