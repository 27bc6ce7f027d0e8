"""What `--json` prints can be read by whatever reads JSON."""

import json
import pathlib

import pytest

from pipeline.cli import json_output


def _read(text):
  def refuse(constant):
    raise AssertionError(f"not standard JSON: {constant}")

  return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_json_does_not_have_is_null(number, capsys):
  json_output.echo_json({"metrics": {"a": 0.5, "b": number}, "rows": [(1, number)], "s": "NaN"})
  said = capsys.readouterr().out
  assert said.count("\n") == 1
  assert _read(said) == {"metrics": {"a": 0.5, "b": None}, "rows": [[1, None]], "s": "NaN"}


def test_what_is_not_json_is_an_error_or_what_the_caller_makes_of_it(capsys):
  path = pathlib.Path("/data")
  with pytest.raises(TypeError):
    json_output.echo_json({"data": path})
  json_output.echo_json({"data": path}, default=str)
  assert _read(capsys.readouterr().out) == {"data": "/data"}


def test_no_command_prints_json_in_another_way():
  folder = pathlib.Path(json_output.__file__).parent
  others = [
    str(path.relative_to(folder))
    for path in folder.rglob("*.py")
    if "echo(json.dumps(" in path.read_text(encoding="utf-8")
  ]
  assert others == ["json_output.py"]
