"""Which ops a release of TensorFlow Serving runs, from a list per release.

What the machine that trained can run says nothing of it: its TensorFlow may be newer than any
TensorFlow Serving, its kernels those of a GPU, and a library that some import loaded adds ops to
the whole process. The list is made by `scripts/list-serving-ops.py`. Imports no TensorFlow.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

_TABLE = pathlib.Path(__file__).with_name("serving_ops.tsv")
_TAG = re.compile(r"(\d+\.\d+)\.\d+(-gpu)?")
# These call back into the Python process that built the graph; a model server has none.
_PYTHON_OPS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
# These read files by their paths. Tables read their assets with other ops, once.
_FILE_OPS = frozenset({"ReadFile", "MatchingFiles", "WholeFileReader", "WholeFileReaderV2"})
_COMPILED = "_XlaMustCompile"  # on functions: jit_compile=True


@dataclasses.dataclass(frozen=True, kw_only=True)
class UsedOp:
  """An op as a graph uses it.

  Attributes:
    name: the op's.
    attributes: those that its nodes have, but for TensorFlow's internal ones ("_...").
    by_xla: whether only XLA compiles it, with its own kernels.
  """

  name: str
  attributes: frozenset[str] = frozenset()
  by_xla: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServingRelease:
  """A release of TensorFlow Serving, and the hardware of its server.

  Attributes:
    version: its first two numbers, "2.16".
    with_gpu: whether the server sees a GPU.
  """

  version: str
  with_gpu: bool = False

  def __str__(self) -> str:
    return f"TensorFlow Serving {self.version}{' with a GPU' if self.with_gpu else ''}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Line:
  """The facts about an op that `releases` have in common."""

  releases: Collection[str]
  needs_gpu: bool
  attributes: frozenset[str]


def release_of_tag(tag: str) -> ServingRelease:
  """Returns the release of an image `tensorflow/serving:TAG`.

  Args:
    tag: such as "2.16.1" or "2.16.1-gpu"; patches of a release have the same ops.

  Raises:
    ValueError: it is no such tag, or of a release that the list lacks; the message says what is
      expected.
  """
  match = _TAG.fullmatch(tag)
  if match is None or match[1] not in _releases():
    raise ValueError(
      "expected a tag of the image tensorflow/serving, such as 2.16.1, or 2.16.1-gpu for servers "
      f"with a GPU, of one of the releases {', '.join(_releases())}"
    )
  return ServingRelease(version=match[1], with_gpu=match[2] is not None)


def default_release(tensorflow: str) -> ServingRelease:
  """Returns the newest release, without a GPU, that is no newer than this TensorFlow, "2.16.2"."""
  fit = [release for release in _releases() if _number(release) <= _number(tensorflow)]
  return ServingRelease(version=fit[-1] if fit else _releases()[0])


def refusals(used: Iterable[UsedOp], release: ServingRelease) -> list[str]:
  """Returns why the release cannot run a graph, a sentence a reason; empty if it can.

  Args:
    used: the graph's ops.
    release: the release that will serve it.
  """
  reasons: dict[str, list[str]] = {}
  for op in sorted(used, key=lambda op: (op.name, op.by_xla)):
    if reason := _reason(op, release):
      names = reasons.setdefault(reason, [])
      if op.name not in names:
        names.append(op.name)
  return [reason.format(ops=", ".join(names)) for reason, names in reasons.items()]


def refused_by_all(used: Iterable[UsedOp]) -> list[str]:
  """Returns why no release could run a graph, a sentence a reason; empty if one can."""
  every = [ServingRelease(version=version, with_gpu=True) for version in _releases()]
  return refusals([op for op in used if all(_reason(op, each) for each in every)], every[-1])


def ops_of(graph: Any) -> set[UsedOp]:
  """Returns the ops of a `GraphDef`, those within its functions included."""
  functions = {function.signature.name for function in graph.library.function}
  found = _ops_of(graph.node, functions, by_xla=False)
  for function in graph.library.function:
    by_xla = _COMPILED in function.attr and function.attr[_COMPILED].b
    found |= _ops_of(function.node_def, functions, by_xla=by_xla)
  return found


def _ops_of(nodes: Iterable[Any], functions: Collection[str], *, by_xla: bool) -> set[UsedOp]:
  return {
    UsedOp(
      name=node.op,
      attributes=frozenset(name for name in node.attr if not name.startswith("_")),
      by_xla=by_xla,
    )
    for node in nodes
    if node.op not in functions
  }


def _reason(op: UsedOp, release: ServingRelease) -> str | None:
  """Returns a sentence with "{ops}" in it; None if the op runs."""
  lines = _lines().get(op.name, ())
  line = next((line for line in lines if release.version in line.releases), None)
  if op.name in _PYTHON_OPS:
    return (
      "{ops} calls back into the Python process that exported the model, which a server has not. "
      "Write it with TensorFlow's ops."
    )
  if op.name in _FILE_OPS:
    return (
      "{ops} reads a file of this machine whenever the model answers, and a server has no such "
      "file. Read it in build_model, and keep what it says in a constant or a weight."
    )
  if line is None:
    others = [version for each in lines for version in each.releases]
    if others:
      return (
        f"{release} cannot run {{ops}}; {', '.join(others)} can. Serve with that, and say so with "
        "push.serving_release, or build the model without it."
      )
    return (
      f"{release} has no op {{ops}}. It has those of TensorFlow {release.version}, TensorFlow Text "
      "and, for inference, TensorFlow Decision Forests: build the model with these."
    )
  if line.needs_gpu and not release.with_gpu and not op.by_xla:
    return (
      f"{release} has no kernel for {{ops}} without a GPU. Build what is exported without it "
      "(recurrent layers of Keras: use_cudnn=False), or serve with GPUs alone, and say so with a "
      "push.serving_release that ends with -gpu."
    )
  if unknown := op.attributes - line.attributes:
    return (
      f"{release} does not know {', '.join(sorted(unknown))} of the op {{ops}}. Serve with a newer "
      "one, and say so with push.serving_release, or build the model without it."
    )
  return None


@functools.cache
def _lines() -> Mapping[str, list[_Line]]:
  rows = [
    line.split("\t")
    for line in _TABLE.read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
  ]
  versions = sorted({version for row in rows for version in row[1:3]}, key=_number)
  lines: dict[str, list[_Line]] = {}
  for op, first, last, device, attributes in rows:
    lines.setdefault(op, []).append(
      _Line(
        releases=versions[versions.index(first) : versions.index(last) + 1],
        needs_gpu=device == "gpu",
        attributes=frozenset(attributes.split()),
      )
    )
  return lines


@functools.cache
def _releases() -> list[str]:
  """Returns every release of the list, the oldest first."""
  found = {version for lines in _lines().values() for line in lines for version in line.releases}
  return sorted(found, key=_number)


def _number(version: str) -> tuple[int, int]:
  major, minor, *_ = version.split(".")
  return int(major), int(minor)
