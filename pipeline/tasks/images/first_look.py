"""Looks at training pictures once: whitens the first layer, decides whether to mirror them.

Photos may be mirrored; digits, letters and arrows may not. Names of classes do not tell them apart,
but the pictures do: where mirroring is harmless, a mirrored picture still resembles pictures of its
own class, nearly as often as the picture itself does.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from dlpipe import progress
from pipeline import carried_rows
from pipeline.tasks.images.augmentation import Augmentation
from pipeline.tasks.images.cnn import Whitening

if TYPE_CHECKING:
  from pipeline.tasks.images.params import ImageParams

# Pictures, at most twice as many; fewer of large ones, so that they fit into the memory.
_LOOKED_AT, _LEAST, _VALUES = 4_000, 500, 50_000_000
_THUMBNAIL = 12  # side in pixels
# Mirrored pictures must be recognized so often, compared with the pictures themselves, each beyond
# chance. Photos reach 0.8 to 1, shoes that all point to the left 0.7, digits 0.3.
_SHARE = 0.75
# Two classes are each other's mirror image if so many of each resemble the other when mirrored.
_SWAPPED = 0.4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mirrored:
  """What becomes of pictures that are mirrored.

  The shares are means over the classes, so that a common class does not decide for rare ones.

  Attributes:
    plain: the share of pictures whose most similar other picture is of the same class.
    mirrored: the same share of the mirrored pictures.
    swapped: two classes that are each other's mirror image, if any.
    classes: the number of classes.
  """

  plain: float
  mirrored: float
  swapped: tuple[int, int] | None
  classes: int

  @property
  def harmless(self) -> bool:
    """Whether mirroring keeps the class."""
    chance = 1 / self.classes
    beyond = self.plain - chance
    return self.swapped is None and beyond > 0 and self.mirrored - chance >= _SHARE * beyond


def adapt(params: ImageParams, model: keras.Model, batches: tf.data.Dataset) -> None:
  """Sets the whitening of the first layer, and whether pictures are mirrored if `flip` is null.

  Args:
    params: `flip` and `whitening` say what is to be decided.
    model: the result of `build_model`.
    batches: batches of `(pixels in [0, 255], label)`, or with a weight as well, which is not read.
  """
  # Filters that were carried over stay those that the layers behind them learnt with.
  whitening = [
    each
    for each in model.layers
    if isinstance(each, Whitening) and not carried_rows.is_carried(each)
  ]
  undecided = [each for each in model.layers if isinstance(each, Augmentation)]
  # A task of one's own that takes over this function may have neither layer, and no such setting.
  if undecided and params.flip is not None:
    undecided = []
  if not whitening and not undecided:
    return
  pixels, labels = _some(batches)
  for layer in whitening:
    layer.fit(pixels)
  for layer in undecided:
    found = mirrored(pixels, labels)
    layer.flip = found.harmless
    answers = ", and answers are the mean of both" if found.harmless else ", and answers neither"
    progress.report(
      f"pictures are {'' if found.harmless else 'not '}mirrored in training: of mirrored ones "
      f"{found.mirrored:.2f} resemble their class, of others {found.plain:.2f} (model.flip)"
      f"{f'{answers} (model.mirrored_answers)' if layer.both else ''}",
      epoch=0,
    )


def mirrored(pixels: np.ndarray, labels: np.ndarray) -> Mirrored:
  """Compares pictures and mirrored pictures with the other pictures, by small grey thumbnails.

  Args:
    pixels: `[size, side, side, 3]`.
    labels: `[size]` whole numbers.
  """
  vectors, turned = _thumbnails(pixels), _thumbnails(pixels[:, :, ::-1])
  own, other = (_nearest(each, vectors, labels) for each in (vectors, turned))
  classes = int(labels.max()) + 1
  counts = np.zeros((classes, classes))
  np.add.at(counts, (labels, other), 1)
  shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
  pairs = np.argwhere(np.triu(np.minimum(shares, shares.T) >= _SWAPPED, k=1))
  present = np.unique(labels)

  def share(found: np.ndarray) -> float:
    return float(np.mean([(found[labels == each] == each).mean() for each in present]))

  return Mirrored(
    plain=share(own),
    mirrored=share(other),
    swapped=(int(pairs[0][0]), int(pairs[0][1])) if len(pairs) else None,
    classes=len(present),
  )


def _some(batches: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
  """Returns pictures and labels from all parts of the data, which may be sorted by class."""
  kept: list[tuple[np.ndarray, Any]] = []
  seen, step = 0, 1
  for pixels, labels, *_ in batches.as_numpy_iterator():
    # Copies: a view of one picture would keep its whole batch in memory.
    kept += [(pixels[i].copy(), labels[i]) for i in range(-seen % step, len(labels), step)]
    seen += len(labels)
    limit = min(_LOOKED_AT, max(_LEAST, _VALUES // pixels[0].size))
    if len(kept) > 2 * limit:
      kept, step = kept[::2], 2 * step
  return np.stack([pixels for pixels, _ in kept]), np.array([label for _, label in kept])


def _thumbnails(pixels: np.ndarray) -> np.ndarray:
  """Returns `[size, 144]` float32 vectors of length 1 with mean 0."""
  side = min(_THUMBNAIL, pixels.shape[1])
  small = tf.image.resize(pixels, (side, side), method="area").numpy().mean(axis=-1)
  vectors = small.reshape(len(small), -1)
  vectors -= vectors.mean(axis=1, keepdims=True)
  return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6))


def _nearest(asked: np.ndarray, known: np.ndarray, labels: np.ndarray) -> np.ndarray:
  """Returns the label of the most similar other picture of each, `[size]`."""
  found = []
  for start in range(0, len(asked), 1_000):
    similar = asked[start : start + 1_000] @ known.T
    rows = np.arange(len(similar))
    similar[rows, rows + start] = -np.inf
    found.append(labels[similar.argmax(axis=1)])
  return np.concatenate(found)
