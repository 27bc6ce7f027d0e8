"""Measures whether drift is found, named right, and not cried without cause.

    DLPIPE_DATASETS=... python benchmarks/drift.py [--seeds 50] [--rows 300]

Changes of twenty kinds are planted into public data: another corpus, another language, another mix
of classes, another camera by processing. A case is right if the first feature that is named is one
that the change is about. Then random parts of the same data are compared, which must be quiet.
Nothing is trained and there is no past: the bounds are those of a first comparison. Prints the
table of `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import gzip
import io
import os
import pathlib
import random
import time
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from pipeline.drift import comparing
from pipeline.drift.comparing import Change
from pipeline.drift.measuring import Kind, Measure, Row, with_unknown_words
from pipeline.drift.profile import Profile

_TEXTS = Kind(is_text=True, has_classes=True, has_one_class=True)
_PICTURES = Kind(is_text=False, has_classes=True, has_one_class=True)
_FASHION_ROWS = 3_000
_REFERENCE = 700  # rows of pictures; of texts ten times as many
Rows = list[Row]
Picture = Callable[[Image.Image], Image.Image]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
  """A planted change.

  Attributes:
    data: the name of the data set.
    what: the change in words.
    plant: makes the changed rows of a random part of the data.
    names: the features that the change is about.
  """

  data: str
  what: str
  plant: Callable[[Rows], Rows]
  names: tuple[str, ...]


def main() -> None:
  """Prints a line for each case, and how many quiet comparisons raised an alarm."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--seeds", type=int, default=50, help="Quiet comparisons.")
  parser.add_argument("--rows", type=int, default=300, help="Rows that are compared.")
  options = parser.parse_args()
  if "DLPIPE_DATASETS" not in os.environ:
    parser.error("set DLPIPE_DATASETS to the folder that holds the data sets")
  root = pathlib.Path(os.environ["DLPIPE_DATASETS"])
  data = {name: read(root) for name, read in _READ.items()}
  started = time.process_time()
  print("| data | planted | named first | also named |\n|---|---|---|---|")
  right = 0
  for case in cases(data):
    found = _drifted(_planted(case, data[case.data], options.rows))
    right += bool(found) and found[0].feature in case.names
    first = found[0].sentence if found else "nothing"
    others = ", ".join(change.feature for change in found[1:]) or "-"
    print(f"| {case.data} | {case.what} | {first} | {others} |")
  print(f"\nNamed right: {right} of {len(list(cases(data)))}")
  alarms = [
    (name, seed, [change.sentence for change in found])
    for seed in range(options.seeds)
    for name in [list(data)[seed % len(data)]]
    if (found := _drifted(_quiet(data[name], seed)))
  ]
  print(f"Alarms in {options.seeds} quiet comparisons: {len(alarms)} {alarms or ''}")
  print(f"CPU seconds: {time.process_time() - started:.0f}")


def _drifted(changes: Iterable[Change]) -> list[Change]:
  return [change for change in changes if change.drifted]


def _planted(case: Case, rows: Rows, count: int) -> list[Change]:
  shuffled = random.Random(case.what).sample(rows, len(rows))
  size = _reference_size(shuffled)
  changed = case.plant(shuffled[size:])
  changed = random.Random(1).sample(changed, min(count, len(changed)))
  return _compared(shuffled[:size], changed)


def _quiet(rows: Rows, seed: int) -> list[Change]:
  """Compares two random parts of the same data; the second has 40 rows or more."""
  chance = random.Random(seed)
  shuffled = chance.sample(rows, len(rows))
  size = _reference_size(shuffled)
  count = chance.randrange(40, min(1_000, len(rows) - size))
  return _compared(shuffled[:size], shuffled[size : size + count])


def _reference_size(rows: Rows) -> int:
  return _REFERENCE * (1 if _is_picture(rows[0]) else 10)


def _is_picture(row: Row) -> bool:
  return (row.value or b"")[:2] in (b"\x89P", b"\xff\xd8")


def _compared(before: Rows, now: Rows) -> list[Change]:
  """Compares as DriftGate does: a tenth of the reference says how many words are unknown."""
  kind = _PICTURES if _is_picture(now[0]) else _TEXTS
  held_out = len(before) // 10 if kind.is_text else 0
  reference = Measure(kind).profile(before[held_out:])
  words = reference.words.counts if reference.words is not None else None
  if words is not None:
    reference = with_unknown_words(reference, (row.value for row in before[:held_out]), words)
  return comparing.changes(reference, _profile(kind, words, now), past={})


def _profile(kind: Kind, words: dict[str, int] | None, rows: Rows) -> Profile:
  return Measure(kind, known=words).profile(rows)


def cases(data: dict[str, Rows]) -> Iterable[Case]:
  """Yields the planted changes."""

  def of(name: str, what: str, plant: Callable[[Rows], Rows], *names: str) -> Case:
    return Case(data=name, what=what, plant=plant, names=names)

  def camera(name: str, what: str, look: Picture, *names: str) -> Case:
    return of(name, what, lambda rows: [_retaken(row, look) for row in rows[:400]], *names)

  yield camera("caltech", "half as bright", _brightness(0.5), "brightness")
  yield camera("caltech", "overexposed", _brightness(1.6), "brightness")
  yield camera("caltech", "blurred", _blurred, "sharpness")
  yield camera("caltech", "noise of a cheap sensor", _noisy, "sharpness", "bytes per pixel")
  yield camera("caltech", "in grey", ImageOps.grayscale, "colours", "saturation")
  yield camera("caltech", "flat contrast", _contrast, "contrast")
  yield camera("caltech", "warm white balance", _warm, "warmth")
  yield camera("caltech", "at half the size", _half, "width", "height")
  yield of("caltech", "JPEG of low quality", _saved("JPEG", quality=12), "bytes per pixel")
  yield of("caltech", "saved as PNG", _saved("PNG"), "format")
  yield of("caltech", "two of twelve classes are 70 %", _mix("airplanes", "watch"), "label mix")
  yield of("caltech", "a class gone", _without("Motorbikes"), "label mix")
  yield of(
    "fashion", "MNIST digits", lambda _: data["digits"], "brightness", "contrast", "sharpness"
  )
  yield of("fashion", "class mix 10/10 to 70/30", _mix("3", "7"), "label mix")
  yield of("mr", "labels 50/50 to 90/10", _mix("pos"), "label mix")
  yield of(
    "mr",
    "English sentences of tatoeba",
    lambda _: data["eng"],
    "length in words",
    "length in characters",
  )
  yield of("mr", "five reviews in one", _joined, "length in words", "length in characters")
  yield of("mr", "a third of the words new", _new_words, "unknown words")
  yield of("eng", "French", lambda _: data["fra"], "language")
  yield of("eng", "in Cyrillic letters", _cyrillic, "script")


def _retaken(row: Row, look: Picture) -> Row:
  with Image.open(io.BytesIO(row.value or b"")) as picture:
    changed = look(picture.convert("RGB"))
  return _saved_as(changed, row, "JPEG", quality=90)


def _saved_as(picture: Image.Image, row: Row, name: str, **options: int) -> Row:
  file = io.BytesIO()
  picture.save(file, name, **options)
  return dataclasses.replace(row, value=file.getvalue())


def _saved(name: str, **options: int) -> Callable[[Rows], Rows]:
  def save(rows: Rows) -> Rows:
    return [
      _saved_as(Image.open(io.BytesIO(row.value or b"")), row, name, **options)
      for row in rows[:400]
    ]

  return save


def _brightness(factor: float) -> Picture:
  return lambda picture: ImageEnhance.Brightness(picture).enhance(factor)


def _blurred(picture: Image.Image) -> Image.Image:
  return picture.filter(ImageFilter.GaussianBlur(1.5))


def _contrast(picture: Image.Image) -> Image.Image:
  return ImageEnhance.Contrast(picture).enhance(0.45)


def _half(picture: Image.Image) -> Image.Image:
  return picture.resize((picture.width // 2, picture.height // 2))


def _noisy(picture: Image.Image) -> Image.Image:
  pixels = np.asarray(picture, np.float32)
  noise = np.random.default_rng(1).normal(0, 15, pixels.shape)
  return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def _warm(picture: Image.Image) -> Image.Image:
  pixels = np.asarray(picture, np.float32) * np.array([1.12, 1.0, 0.75], np.float32)
  return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _label(row: Row) -> str:
  return str((row.labels or [""])[0])


def _mix(*labels: str) -> Callable[[Rows], Rows]:
  """Makes seven or nine tenths of the rows of these labels, up to 90 % for one of two."""

  def mix(rows: Rows) -> Rows:
    chosen = [row for row in rows if _label(row) in labels]
    others = [row for row in rows if _label(row) not in labels]
    part = 0.9 if len({_label(row) for row in rows}) == 2 else 0.7
    mixed = chosen + others[: round(len(chosen) * (1 - part) / part)]
    return random.Random(1).sample(mixed, len(mixed))

  return mix


def _without(label: str) -> Callable[[Rows], Rows]:
  return lambda rows: [row for row in rows if _label(row) != label]


def _joined(rows: Rows) -> Rows:
  return [
    dataclasses.replace(rows[start], value=b" ".join(row.value or b"" for row in group))
    for start in range(0, len(rows) - 5, 5)
    for group in [rows[start : start + 5]]
  ]


def _new_words(rows: Rows) -> Rows:
  def renamed(row: Row) -> Row:
    words = (row.value or b"").decode().split()
    return dataclasses.replace(
      row,
      value=" ".join(
        f"{w[::-1]}ix" if n % 3 == 0 and len(w) > 3 else w for n, w in enumerate(words)
      ).encode(),
    )

  return [renamed(row) for row in rows]


_LETTERS = str.maketrans("abcdefghijklmnopqrstuvwxyz", "абцдефгхийклмнопярстувжщыз")


def _cyrillic(rows: Rows) -> Rows:
  return [
    dataclasses.replace(row, value=(row.value or b"").decode().lower().translate(_LETTERS).encode())
    for row in rows
  ]


def _caltech(root: pathlib.Path) -> Rows:
  files = sorted((root / "caltech101_subset").rglob("*.jpg"))
  return [Row(value=file.read_bytes(), labels=[file.parent.name]) for file in files]


def _png(pixels: np.ndarray) -> bytes:
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, "PNG")
  return file.getvalue()


def _fashion(root: pathlib.Path) -> Rows:
  def read(name: str, header: int) -> np.ndarray:
    packed = (root / "fashion_mnist" / f"train-{name}-ubyte.gz").read_bytes()
    return np.frombuffer(gzip.decompress(packed), np.uint8, offset=header)

  pictures = read("images-idx3", 16).reshape(-1, 28, 28)[:_FASHION_ROWS]
  labels = read("labels-idx1", 8)[:_FASHION_ROWS]
  return [Row(value=_png(p), labels=[str(n)]) for p, n in zip(pictures, labels, strict=True)]


def _digits(root: pathlib.Path) -> Rows:
  path = str(root / "mnist_tfrecord_1k" / "mnist.tfrecord")
  found = []
  for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
    features = tf.train.Example.FromString(record).features.feature
    pixels = np.array(features["image_floats"].float_list.value).reshape(28, 28)
    scaled = 255 * (pixels - pixels.min()) / (pixels.max() - pixels.min())
    label = str(int(_first(features["image_class"])))
    found.append(Row(value=_png(scaled.astype(np.uint8)), labels=[label]))
  return found


def _first(feature: tf.train.Feature) -> float:
  return next(iter([*feature.int64_list.value, *feature.float_list.value]))


def _mr(root: pathlib.Path) -> Rows:
  return [
    Row(value=line.decode("latin-1").encode(), labels=[name])
    for name in ("neg", "pos")
    for line in (root / "mr_polarity" / f"rt-polarity.{name}").read_bytes().splitlines()
  ]


def _tatoeba(root: pathlib.Path, column: int) -> Rows:
  """Every fifth sentence of a language, each once."""
  lines = (root / "tatoeba_en_fr" / "fra.txt").read_text("utf-8").splitlines()
  sentences = dict.fromkeys(line.split("\t")[column] for line in lines[::5])
  return [Row(value=sentence.encode(), labels=None) for sentence in sentences]


_READ: dict[str, Callable[[pathlib.Path], Rows]] = {
  "caltech": _caltech,
  "fashion": _fashion,
  "digits": _digits,
  "mr": _mr,
  "eng": functools.partial(_tatoeba, column=0),
  "fra": functools.partial(_tatoeba, column=1),
}


if __name__ == "__main__":
  main()
