"""What the pages say of `dlpipe_client` is what it has: names, methods, arguments, exceptions."""

import ast
import inspect
import pathlib
import re

import pytest

import dlpipe_client

ROOT = pathlib.Path(__file__).resolve().parents[3]
README = ROOT / "serving" / "client" / "README.md"
PAGES = [README, *sorted(ROOT.glob("docs/*.md")), ROOT / "README.md"]
BLOCKS = [
  pytest.param(block, id=f"{page.name}-{number}")
  for page in PAGES
  for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
  if "dlpipe_client" in block
]
CALLED = {"connect": dlpipe_client.connect, "Tls": dlpipe_client.Tls, "Retry": dlpipe_client.Retry}


def check_call(call):
  """Binds a call's arguments to the function or method of the client that bears its name."""
  name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
  if name == "open":
    return 0
  function, given = CALLED.get(name), [None] * len(call.args)
  if function is None:
    function, given = getattr(dlpipe_client.Client, name), [None, *given]
  keywords = {each.arg: None for each in call.keywords}
  inspect.signature(function).bind(*given, **keywords)
  return 1


def calls_of(tree):
  return [
    node
    for node in ast.walk(tree)
    if isinstance(node, ast.Call)
    and (isinstance(node.func, ast.Name) or getattr(node.func.value, "id", "") == "client")
  ]


def test_there_are_examples():
  assert len(BLOCKS) == 2


@pytest.mark.parametrize("block", BLOCKS)
def test_an_example_imports_and_calls_what_is_there(block):
  tree = ast.parse(block)
  imported = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
  assert [node.module for node in imported] == ["dlpipe_client"]
  for alias in imported[0].names:
    assert alias.name in dlpipe_client.__all__
  assert sum(check_call(call) for call in calls_of(tree)) > 1


def test_the_table_of_calls_is_the_clients():
  rows = re.findall(r"^\| `(\w+\(.*?\))` \|", README.read_text(), re.MULTILINE)
  assert {row.partition("(")[0] for row in rows} == {
    name
    for name, _ in inspect.getmembers(dlpipe_client.Client, inspect.isfunction)
    if not name.startswith("_") and name != "close"
  }
  for row in rows:
    check_call(ast.parse(row, mode="eval").body)


def test_the_tree_of_errors_names_them_all():
  named = set(re.findall(r"\+-- (\w+)", dlpipe_client.__doc__))
  assert named == {each.__name__ for each in dlpipe_client.ServingClientError.__subclasses__()}
