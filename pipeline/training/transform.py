"""The `preprocessing_fn` that TFX's Transform calls: passes settings to the task's own function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlpipe.dotted_paths import load_function


def preprocessing_fn(inputs: Mapping[str, Any], custom_config: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the transformed features, in graph.

  Args:
    inputs: raw features, as in the reviewed schema.
    custom_config: `preprocessing_fn`, the dotted path of the task's function; `params`, the dotted
      path of its class of settings; and `hyperparameters`, the values by name that it reads.
  """
  params_class: Any = load_function(custom_config["params"])
  params = params_class.of_transform(custom_config["hyperparameters"])
  return load_function(custom_config["preprocessing_fn"])(inputs, params)
