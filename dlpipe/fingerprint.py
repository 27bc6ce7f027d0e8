"""Dotted paths of user functions, and fingerprints of the code behind them.

TFX caches a node by its inputs and parameters and does not read functions that are given by path,
so after an edit of such a function the node would still be CACHED. The node's parameters therefore
include a hash of the sources. Imports only the standard library.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

FIRST_PARTY = ("components", "dlpipe", "dlpipe_client", "pipeline", "serving")
# What a statement can stand in; expressions hold none.
_OF_STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)


def udf_path(function: Callable[..., Any]) -> str:
  """Returns the dotted path of a module-level function, in the form that TFX expects.

  Raises:
    ValueError: the function is a lambda, a method or nested; no other process could import it.
  """
  if "." in function.__qualname__ or function.__name__ == "<lambda>":
    raise ValueError(
      f"A user function must stand at the top level of a module. Received: {function!r}"
    )
  return f"{function.__module__}.{function.__name__}"


def code_fingerprint(*modules: str) -> str:
  """Hashes the sources of modules and of every module of ours that they import.

  A .tsv file beside a module, with the same name, counts as its source.

  Args:
    *modules: dotted names of modules, or dotted paths of functions in them.

  Returns:
    A hexadecimal SHA-256; it changes with any edit to a source, comments included.
  """
  sources: dict[str, bytes] = {}
  pending = [_module_of(name) for name in modules]
  while pending:
    name = pending.pop()
    if name in sources:
      continue
    path = _source_path(name)
    if path is None:
      continue
    sources[name] = path.read_bytes()
    if (table := path.with_suffix(".tsv")).is_file():
      sources[f"{name}.tsv"] = table.read_bytes()
    pending.extend(_imported_once(name, sources[name], is_package=path.name == "__init__.py"))
  digest = hashlib.sha256()
  for name in sorted(sources):
    digest.update(name.encode() + b"\0" + hashlib.sha256(sources[name]).digest())
  return digest.hexdigest()


def _module_of(name: str) -> str:
  if _source_path(name):
    return name
  parent = name.rpartition(".")[0]
  if not parent or not _source_path(parent):
    raise ValueError(f"No module of ours at {name!r}.")
  return parent


def _source_path(name: str) -> pathlib.Path | None:
  if name.split(".")[0] not in FIRST_PARTY:
    return None
  try:
    spec = importlib.util.find_spec(name)
  except ModuleNotFoundError:  # `name` is an attribute of a module, not a module
    return None
  return pathlib.Path(spec.origin) if spec and spec.origin else None


def _executed(node: ast.AST) -> Iterator[ast.AST]:
  """Yields all statements below a node, except those below `if TYPE_CHECKING:`, which never run."""
  yield node
  children = ast.iter_child_nodes(node)
  if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
    children = iter(node.orelse)
  for child in children:
    if isinstance(child, _OF_STATEMENTS):
      yield from _executed(child)


def _imported(name: str, source: bytes, *, is_package: bool) -> tuple[str, ...]:
  package = name if is_package else name.rpartition(".")[0]
  found: list[str] = []
  for node in _executed(ast.parse(source)):
    if isinstance(node, ast.Import):
      found += (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      base = node.module or ""
      if node.level:
        base = importlib.util.resolve_name("." * node.level + base, package)
      found += (base, *(f"{base}.{alias.name}" for alias in node.names))
  return tuple(found)


# Modules of several nodes import the same ones, and parsing them takes longer than all the rest.
_imported_once = functools.cache(_imported)
