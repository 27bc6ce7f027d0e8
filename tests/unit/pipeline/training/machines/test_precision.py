"""The precision of a training by settings, devices and the CPU's units; and back to float32."""

import keras
import numpy as np
import pytest

from pipeline.tasks import get_task
from pipeline.training.machines import precision, strategy

_AMX = "flags : fpu avx512f avx512_bf16 amx_bf16 amx_tile amx_int8\n"
_NO_AMX = "flags : fpu avx512f avx512_bf16\n"
_VARIABLES = ("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")


@pytest.fixture(autouse=True)
def _policy():
  """The dtype policy is the process's: put it back."""
  before = keras.config.dtype_policy()
  yield
  keras.config.set_dtype_policy(before)


@pytest.fixture
def machine(monkeypatch, tmp_path):
  """Returns a function that sets what the CPU says, the environment, and whether a GPU is seen."""

  def set_up(flags, *, gpu=False, **environment):
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{flags}")
    monkeypatch.setattr(precision, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(strategy, "sees_gpu", lambda: gpu)
    for name in _VARIABLES:
      monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
      monkeypatch.setenv(name, value)

  return set_up


@pytest.mark.parametrize(
  ("wanted", "flags", "gpu", "pays", "policy"),
  [
    (None, _NO_AMX, False, True, "float32"),
    (None, _AMX, False, True, "mixed_bfloat16"),
    (None, _AMX, False, False, "float32"),
    (None, _AMX, True, True, "mixed_float16"),
    (None, _NO_AMX, True, False, "mixed_float16"),
    (False, _AMX, True, True, "float32"),
    (True, _AMX, False, True, "mixed_float16"),
    (True, _NO_AMX, False, False, "mixed_float16"),
    ("bfloat16", _NO_AMX, False, False, "mixed_bfloat16"),
    ("bfloat16", _AMX, True, True, "mixed_bfloat16"),
  ],
)
def test_a_setting_holds_and_none_takes_what_is_faster_here(
  machine, wanted, flags, gpu, pays, policy
):
  machine(flags, gpu=gpu)
  assert precision.set_policy(wanted, pays_on_cpu=pays) == policy
  assert keras.config.dtype_policy().name == policy


@pytest.mark.parametrize(
  ("environment", "has"),
  [
    ({}, True),
    ({"TF_ENABLE_ONEDNN_OPTS": "1"}, True),
    ({"TF_ENABLE_ONEDNN_OPTS": "0"}, False),
    ({"TF_ENABLE_ONEDNN_OPTS": "False"}, False),
    ({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}, False),
    ({"DNNL_MAX_CPU_ISA": "avx512_core_bf16"}, False),
    ({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_AMX"}, True),
    ({"ONEDNN_MAX_CPU_ISA": "default"}, True),
  ],
)
def test_units_that_tensorflow_may_not_use_do_not_count(machine, environment, has):
  machine(_AMX, **environment)
  assert precision.has_bfloat16_units() is has


def test_a_machine_without_such_a_file_has_no_units(machine, monkeypatch, tmp_path):
  machine(_AMX)
  monkeypatch.setattr(precision, "_CPU_INFO", tmp_path / "none")
  assert precision.has_bfloat16_units() is False


@pytest.mark.parametrize(
  ("task", "settings", "pays"),
  [
    ("images", {}, True),
    ("images", {"backbone": "squeezenet"}, False),
    ("sentiment", {}, False),
    ("translation", {}, True),
    ("translation", {"architecture": "transformer"}, True),
  ],
)
def test_what_was_measured_to_train_faster(task, settings, pays):
  assert get_task(task).params.of(settings).bfloat16_pays() is pays


@pytest.mark.parametrize("half", ["mixed_float16", "mixed_bfloat16"])
def test_layers_within_layers_compute_in_float32_again(half):
  keras.config.set_dtype_policy(half)
  keras.utils.set_random_seed(1)
  inner = keras.Sequential([keras.layers.Dense(16, activation="tanh"), keras.layers.Dense(8)])
  model = keras.Sequential([keras.Input((5,)), inner, keras.layers.Dense(3)])
  rows = np.random.default_rng(1).normal(size=(4, 5)).astype("float32")
  in_half = model(rows)
  precision.to_float32(model)
  expected = rows
  for dense in (*inner.layers, model.layers[-1]):
    kernel, bias = dense.get_weights()
    expected = expected @ kernel + bias
    expected = np.tanh(expected) if dense is inner.layers[0] else expected
  answer = model(rows).numpy()
  assert in_half.dtype == half.removeprefix("mixed_")
  assert answer.dtype == np.float32
  np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-6)
