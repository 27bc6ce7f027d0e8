"""`Base`: the served model that a training may begin from; `warm_trainer` finds it. No TFX."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

SETTING = "base"  # in the Trainer's `custom_config`


@dataclasses.dataclass(frozen=True, kw_only=True)
class Base:
  """The model that a training may begin from.

  Attributes:
    version: its number in the served directory.
    sha256: the hash of its files.
    path: its folder.
  """

  version: int
  sha256: str
  path: str

  @classmethod
  def of(cls, config: Mapping[str, Any]) -> Base | None:
    """Returns the model that a Trainer's `custom_config` names; None if it names none."""
    said = config.get(SETTING)
    if not said:
      return None
    return cls(**said, path=os.path.join(config["serving_dir"], str(said["version"])))
