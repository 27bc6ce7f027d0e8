"""Pre-trained backbones by name: our `squeezenet` and all of `keras.applications`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import keras

from dlpipe.errors import BadInputError
from pipeline.tasks.images import squeezenet
from pipeline.tasks.images.backbone_names import NO_CONSTRUCTORS, PUBLISHED, SQUEEZENET, check_known
from pipeline.tasks.images.weights_files import check_weights_file


@dataclasses.dataclass(frozen=True, kw_only=True)
class Backbone:
  """The functions that make one backbone.

  Attributes:
    build: `(input_shape, weights) -> keras.Model` without its top layers.
    preprocess: converts RGB in [0, 255] to the input that the weights expect.
  """

  build: Callable[[tuple[int, int, int], str | None], keras.Model]
  preprocess: Callable[[Any], Any]


def get_backbone(name: str) -> Backbone:
  """Returns the backbone with this name, such as "squeezenet" or "MobileNetV2"; ignores case.

  Raises:
    BadInputError: no backbone has this name.
  """
  known = _applications()
  check_known(name, {SQUEEZENET, *(key for _, key in known)})
  if name.lower() == SQUEEZENET:
    return Backbone(
      build=lambda shape, weights: squeezenet.squeezenet(input_shape=shape, weights=weights),
      preprocess=squeezenet.preprocess,
    )
  matching = [module_and_name for module_and_name in known if module_and_name[1] == name.lower()]
  constructor, preprocess = known[matching[0]]

  def build(shape: tuple[int, int, int], weights: str | None) -> keras.Model:
    try:
      if weights not in (None, PUBLISHED):
        check_weights_file(weights)
      return constructor(include_top=False, input_shape=shape, weights=weights)
    except (OSError, ValueError) as err:  # download and file errors, wrong shapes
      raise BadInputError(
        f"Cannot build model.backbone={name!r} with model.weights={weights!r} for pictures of "
        f"{shape[0]}x{shape[1]}: {err}"
      ) from err
    except Exception as err:  # keras.utils.get_file raises a bare Exception without a network
      raise BadInputError(
        f"Cannot fetch the weights {weights!r} of {name}: {err}. Without a network, give a local "
        "file: --set model.weights=FILE.h5"
      ) from err

  return Backbone(build=build, preprocess=preprocess)


def _applications() -> dict[tuple[str, str], tuple[Callable[..., keras.Model], Callable]]:
  found: dict[tuple[str, str], tuple[Callable[..., keras.Model], Callable]] = {}
  for module_name, module in inspect.getmembers(keras.applications, inspect.ismodule):
    preprocess = getattr(module, "preprocess_input", None)
    for name, constructor in inspect.getmembers(module, inspect.isfunction):
      if preprocess and name not in NO_CONSTRUCTORS:
        found[module_name, name.lower()] = (constructor, preprocess)
  return found
