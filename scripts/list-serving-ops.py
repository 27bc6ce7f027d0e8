"""Writes components/serving_gate/serving_ops.tsv: the ops of each release of TensorFlow Serving.

Run it by hand after a new release: .venv/bin/python scripts/list-serving-ops.py
It takes ten minutes and downloads 6 GB of wheels.

TensorFlow Serving publishes no list of its ops. It links TensorFlow's ops and those that
SUPPORTED_TENSORFLOW_OPS names in tensorflow_serving/model_servers/BUILD: TensorFlow Text and the
inference ops of TensorFlow Decision Forests, in the versions of tensorflow_serving/workspace.bzl.
This script reads them from the wheels through TensorFlow's C API, in processes that do not import
TensorFlow in Python. So only kernels in shared libraries count: PyFunc has none.
"""

from __future__ import annotations

import collections
import ctypes
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "components/serving_gate/serving_ops.tsv"
# By release of TensorFlow Serving: its TensorFlow and TensorFlow Text, from WORKSPACE and
# workspace.bzl at 2.16.1, 2.17.1, 2.18.1, 2.19.1 and 2.20.0; Decision Forests is always 1.3.0.
RELEASES = {
  "2.16": ("2.16.1", "2.12.1"),
  "2.17": ("2.17.1", "2.12.1"),
  "2.18": ("2.18.1", "2.12.1"),
  "2.19": ("2.19.1", "2.12.1"),
  "2.20": ("2.20.0", "2.20.0"),
}
FORESTS = "1.3.0"
# By version of a library: the TensorFlow that its wheel was built against, and so loads with.
BUILT_AGAINST = {"2.12.1": "2.12.0", "2.20.0": "2.20.0"}
HEADER = """\
# What each release of TensorFlow Serving can run; written by scripts/list-serving-ops.py.
# An op, the releases that have it so (first and last), where it has a kernel (cpu: on every server;
# gpu: on those with a GPU alone), and its attributes.
"""

# By op: the devices that have a kernel, and the op's attributes.
Ops = dict[str, tuple[str, str]]


class Buffer(ctypes.Structure):
  """`TF_Buffer` of TensorFlow's C API."""

  _fields_ = (
    ("data", ctypes.c_void_p),
    ("length", ctypes.c_size_t),
    ("deallocator", ctypes.c_void_p),
  )


def dump(site: str, out: str, *libraries: str) -> None:
  """Loads the libraries, then writes the ops and kernels that TensorFlow has registered."""
  package = pathlib.Path(site) / "tensorflow"
  ctypes.CDLL(str(package / "libtensorflow_framework.so.2"), ctypes.RTLD_GLOBAL)
  api = ctypes.CDLL(str(package / "libtensorflow_cc.so.2"), ctypes.RTLD_GLOBAL)
  api.TF_NewStatus.restype = api.TF_LoadLibrary.restype = ctypes.c_void_p
  api.TF_Message.restype = ctypes.c_char_p
  for function in (api.TF_GetAllOpList, api.TF_GetAllRegisteredKernels):
    function.restype = ctypes.POINTER(Buffer)
  status = ctypes.c_void_p(api.TF_NewStatus())
  for library in libraries:
    api.TF_LoadLibrary(library.encode(), status)
    if api.TF_GetCode(status):
      raise SystemExit(f"{library}: {api.TF_Message(status).decode()}")
  for name, buffer in (
    ("ops", api.TF_GetAllOpList().contents),
    ("kernels", api.TF_GetAllRegisteredKernels(status).contents),
  ):
    pathlib.Path(out, name).write_bytes(ctypes.string_at(buffer.data, buffer.length))
  sys.stdout.flush()
  os._exit(0)  # TensorFlow's destructors would fail after this use of its C API


def registered(requirements: Iterable[str], libraries: str = "") -> Ops:
  """Returns the ops of an environment that holds only these packages.

  Args:
    requirements: pip's requirements.
    libraries: glob pattern, below the environment, of libraries to load besides TensorFlow.
  """
  from tensorflow.core.framework import kernel_def_pb2, op_def_pb2

  requirements = tuple(requirements)
  print("Reading", *requirements, flush=True)
  uv = subprocess.run(
    ["sh", str(ROOT / "scripts/find-uv.sh")], check=True, capture_output=True, text=True
  ).stdout.strip()
  with tempfile.TemporaryDirectory() as folder:
    site = pathlib.Path(folder, "site")
    install = [uv, "pip", "install", "--quiet", "--no-deps", "--target", str(site)]
    subprocess.run([*install, "--python", sys.executable, *requirements], check=True)
    found = sorted(str(path) for path in site.glob(libraries)) if libraries else []
    subprocess.run([sys.executable, __file__, str(site), folder, *found], check=True)
    ops = op_def_pb2.OpList.FromString(pathlib.Path(folder, "ops").read_bytes())
    kernels = kernel_def_pb2.KernelList.FromString(pathlib.Path(folder, "kernels").read_bytes())
  devices = collections.defaultdict(set)
  for kernel in kernels.kernel:
    devices[kernel.op].add(kernel.device_type)
  return {
    op.name: (
      "cpu" if devices[op.name] & {"CPU", "DEFAULT"} else "gpu",
      " ".join(sorted(attribute.name for attribute in op.attr)),
    )
    for op in ops.op
    if devices[op.name] & {"CPU", "DEFAULT", "GPU"}
  }


def library_ops(name: str, version: str, tensorflow: str, pattern: str) -> Ops:
  """Returns the ops that a library adds to TensorFlow."""
  core = f"tensorflow-cpu=={tensorflow}"
  without = registered([core])
  return {
    op: value
    for op, value in registered([core, f"{name}=={version}"], pattern).items()
    if op not in without
  }


def release_ops(tensorflow: str) -> Ops:
  """Returns TensorFlow's own ops: those of the CPU build, plus those only in the GPU build."""
  return {
    **registered([f"tensorflow=={tensorflow}"]),
    **registered([f"tensorflow-cpu=={tensorflow}"]),
  }


def main() -> None:
  """Reads the ops of every release and writes the table."""
  text = {
    version: library_ops("tensorflow-text", version, core, "tensorflow_text/python/**/*.so")
    for version, core in BUILT_AGAINST.items()
  }
  forests = library_ops(
    "tensorflow-decision-forests",
    FORESTS,
    "2.12.0",
    "tensorflow_decision_forests/tensorflow/ops/inference/inference.so",
  )
  spans: dict[tuple[str, str, str], list[str]] = collections.defaultdict(list)
  for release, (tensorflow, text_version) in RELEASES.items():
    for op, value in {**forests, **text[text_version], **release_ops(tensorflow)}.items():
      spans[(op, *value)].append(release)
  order = list(RELEASES)
  lines = []
  for (op, device, attributes), releases in spans.items():
    places = [order.index(release) for release in releases]
    if places != list(range(places[0], places[-1] + 1)):
      raise SystemExit(f"{op} comes and goes: it is in {releases}")
    lines.append("\t".join((op, releases[0], releases[-1], device, attributes)))
  TABLE.write_text(HEADER + "".join(f"{line}\n" for line in sorted(lines)), encoding="utf-8")
  print(f"{len(lines)} lines in {TABLE}")


if __name__ == "__main__":
  if sys.argv[1:]:
    dump(*sys.argv[1:])
  main()
