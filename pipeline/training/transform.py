"""What TFX's Transform calls: a task's own `preprocessing_fn`, with settings read by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlpipe.dotted_paths import load_function


def preprocessing_fn(inputs: Mapping[str, Any], custom_config: Mapping[str, Any]) -> dict[str, Any]:
  """The transformed features, in graph.

  Args:
    inputs: raw features, as the reviewed schema has them.
    custom_config: `preprocessing_fn`, the dotted path of the task's; `params`, that of its class of
      settings; and `hyperparameters`, name to value of those that it reads.
  """
  params_class: Any = load_function(custom_config["params"])
  params = params_class.of_transform(custom_config["hyperparameters"])
  return load_function(custom_config["preprocessing_fn"])(inputs, params)
