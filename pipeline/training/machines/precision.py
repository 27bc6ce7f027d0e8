"""Chooses the precision of a training, and brings a trained model back to float32."""

from __future__ import annotations

import os
import pathlib
from typing import Literal

import keras

from pipeline.training.machines import strategy

_CPU_INFO = pathlib.Path("/proc/cpuinfo")
_HALF = ("float16", "bfloat16")


def set_policy(wanted: bool | Literal["bfloat16"] | None, *, pays_on_cpu: bool) -> str:
  """Sets and returns Keras' dtype policy for a training.

  Args:
    wanted: `train.mixed_precision`. None means float16 on a GPU, and bfloat16 on a CPU with units
      for it if `pays_on_cpu`.
    pays_on_cpu: whether the model was measured to train faster so.
  """
  if wanted is None:
    wanted = strategy.sees_gpu() or ("bfloat16" if pays_on_cpu and has_bfloat16_units() else False)
  half = "bfloat16" if wanted == "bfloat16" else "float16"
  policy = f"mixed_{half}" if wanted else "float32"
  keras.config.set_dtype_policy(policy)
  return policy


def has_bfloat16_units() -> bool:
  """Returns whether the CPU multiplies matrices of bfloat16 (AMX) and TensorFlow may use that.

  Without these units bfloat16 takes longer than float32, also where a CPU has AVX512_BF16.
  """
  if os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1").lower() in ("0", "false"):
    return False
  highest = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "ALL"
  if highest.upper() not in ("ALL", "DEFAULT") and "AMX" not in highest.upper():
    return False
  try:
    return "amx_bf16" in _CPU_INFO.read_text("utf-8", errors="replace").split()
  except OSError:  # not Linux
    return False


def to_float32(model: keras.Model) -> None:
  """Makes a model that was trained in half precision compute in float32; its weights are already.

  In half precision answers would depend on the CPU that serves and on the shape of a batch, and a
  CPU without units for it would be slow.
  """
  for layer in model._flatten_layers():
    if layer.compute_dtype in _HALF:
      layer.dtype_policy = keras.dtype_policies.get("float32")
    if isinstance(layer, keras.layers.InputLayer) and layer.dtype in _HALF:
      layer._dtype = "float32"
    # A graph of layers was built with casts to what each of them took.
    graph = getattr(layer, "_functional", None) or layer
    for tensor in getattr(graph, "inputs", None) or ():
      if tensor.dtype in _HALF:
        tensor._dtype = "float32"
    for operation in getattr(graph, "operations", ()):
      if not isinstance(operation, keras.Layer) and getattr(operation, "dtype", None) in _HALF:
        operation.dtype = "float32"
