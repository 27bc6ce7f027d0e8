"""Dotted paths of user functions, and fingerprints that change with the code behind them."""

import ast
import functools
import sys

import pytest

from dlpipe import fingerprint as user_functions
from dlpipe.dotted_paths import load_function
from dlpipe.fingerprint import code_fingerprint, udf_path


@pytest.fixture
def package(tmp_path, monkeypatch):
  """Returns a function that (over)writes modules of a package that counts as ours."""
  monkeypatch.syspath_prepend(str(tmp_path))
  monkeypatch.setattr(user_functions, "FIRST_PARTY", ("ours",))

  def write(**sources):
    for name, source in sources.items():
      path = tmp_path / "ours" / (name.replace("__in__", "/") + ".py")
      path.parent.mkdir(parents=True, exist_ok=True)
      (tmp_path / "ours" / "__init__.py").touch()
      path.write_text(source)

  yield write
  for name in [n for n in sys.modules if n.split(".")[0] == "ours"]:
    del sys.modules[name]


def test_a_path_leads_back_to_the_function():
  assert udf_path(code_fingerprint) == "dlpipe.fingerprint.code_fingerprint"
  assert load_function("dlpipe.fingerprint.code_fingerprint") is code_fingerprint


@pytest.mark.parametrize(
  "function",
  [lambda: None, str.upper, [].append, (lambda: lambda: None)()],
  ids=["lambda", "method", "bound", "nested"],
)
def test_what_no_other_process_could_import_is_an_error(function):
  with pytest.raises(ValueError, match="top level of a module. Received: "):
    udf_path(function)


def test_a_fingerprint_is_a_sha256_that_stays_the_same(package):
  package(a="x = 1\n")
  first = code_fingerprint("ours.a")
  assert len(bytes.fromhex(first)) == 32
  assert code_fingerprint("ours.a") == first


def test_an_edit_changes_it_wherever_it_is_imported(package):
  package(
    a="from ours import b\n",
    b="import ours.c\n",
    c="def f():\n  from ours.sub.d import g\n",
    sub__in__d="x = 1\n",
    unrelated="x = 1\n",
  )
  before = code_fingerprint("ours.a")
  package(unrelated="x = 2\n")
  assert code_fingerprint("ours.a") == before
  package(sub__in__d="x = 2\n")
  changed = code_fingerprint("ours.a")
  assert changed != before
  package(sub__in__d="x = 1\n")
  assert code_fingerprint("ours.a") == before
  package(c="x = 1\n")
  assert code_fingerprint("ours.a") not in (before, changed)


def test_relative_imports_are_followed(package):
  package(
    sub__in____init__="from . import a\n",
    sub__in__a="from .b import x\nfrom .. import c\n",
    sub__in__b="x = 1\n",
    c="x = 1\n",
  )
  before = code_fingerprint("ours.sub")
  package(sub__in__b="x = 2\n")
  second = code_fingerprint("ours.sub")
  package(c="x = 2\n")
  assert len({before, second, code_fingerprint("ours.sub")}) == 3


def test_modules_that_import_each_other_end(package):
  package(a="from ours import b\n", b="from ours import a\n")
  assert code_fingerprint("ours.a") == code_fingerprint("ours.b")


def test_a_function_counts_as_its_module_and_order_does_not_matter(package):
  package(a="def f():\n  pass\n", b="x = 1\n")
  assert code_fingerprint("ours.a.f") == code_fingerprint("ours.a")
  assert code_fingerprint("ours.a", "ours.b") == code_fingerprint("ours.b", "ours.a")
  assert code_fingerprint("ours.a") != code_fingerprint("ours.b")


def test_nothing_is_imported_to_read_it(package):
  package(a="raise RuntimeError('imported')\n")
  assert len(code_fingerprint("ours.a")) == 64
  assert "ours.a" not in sys.modules


def test_what_several_modules_import_is_parsed_once(package, monkeypatch):
  parsed = []
  parse = ast.parse
  monkeypatch.setattr(ast, "parse", lambda source: parsed.append(source) or parse(source))
  package(a="import ours.shared\n", b="import ours.shared\n", shared="once = 1\n")
  first = code_fingerprint("ours.a"), code_fingerprint("ours.b")
  assert parsed.count(b"once = 1\n") == 1
  package(shared="once = 2\n")
  assert code_fingerprint("ours.a") != first[0]


@pytest.mark.parametrize("name", ["json.dumps", "absent", "ours.absent.module", "ours_not.a"])
def test_what_is_not_ours_has_no_fingerprint(package, name):
  package(a="x = 1\n")
  with pytest.raises(ValueError, match=f"No module of ours at '{name}'"):
    code_fingerprint(name)


def test_libraries_do_not_count(package, monkeypatch):
  package(a="import functools\nfrom json import dumps\n")
  read = []
  original = user_functions._source_path

  @functools.wraps(original)
  def spy(name):
    path = original(name)
    read.append((name, path))
    return path

  monkeypatch.setattr(user_functions, "_source_path", spy)
  code_fingerprint("ours.a")
  assert {name for name, path in read if path} == {"ours.a"}


def test_a_table_beside_a_module_counts_as_its_source(package, tmp_path):
  package(a="from ours import b\n", b="x = 1\n", c="x = 1\n")
  before = code_fingerprint("ours.a")
  folder = tmp_path / "ours"
  (folder / "c.tsv").write_text("1\n")
  assert code_fingerprint("ours.a") == before
  (folder / "b.tsv").write_text("1\n")
  changed = code_fingerprint("ours.a")
  (folder / "b.tsv").write_text("2\n")
  assert len({before, changed, code_fingerprint("ours.a")}) == 3


@pytest.mark.parametrize(
  "name",
  [
    *("components.reviewed_schema", "dlpipe.records", "dlpipe_client.retry", "pipeline.gates"),
    "serving.op_libraries",
  ],
)
def test_each_of_our_packages_counts(name):
  assert len(code_fingerprint(name)) == 64


def test_a_fingerprint_stays_the_same_from_release_to_release(package):
  """Another one for the same sources would let every node of every workspace run again."""
  package(a="import ours.b\n", b="x = 1\n")
  assert code_fingerprint("ours.a")[:16] == "c155f17e0635af15"


@pytest.mark.parametrize("test", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_what_is_imported_for_types_alone_does_not_count(package, test):
  package(
    a=f"import typing\nif {test}:\n  from ours.b import T\nelse:\n  import ours.c\n", b="", c=""
  )
  before = code_fingerprint("ours.a")
  package(b="T = int\n")
  assert code_fingerprint("ours.a") == before
  package(c="x = 1\n")
  assert code_fingerprint("ours.a") != before
