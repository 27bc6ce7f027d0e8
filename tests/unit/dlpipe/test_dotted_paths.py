"""A function by its dotted path, and what is said where there is none."""

import pytest

from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError


def test_the_function_at_a_path():
  assert load_function("dlpipe.dotted_paths.load_function") is load_function


@pytest.mark.parametrize(
  "path",
  [
    "dlpipe.dotted_paths.absent",
    "components.absent.function",
    "absent.module.function",
    "function",
  ],
)
def test_a_path_that_leads_nowhere_is_bad_input(path):
  with pytest.raises(BadInputError, match=rf"package.module.function. Received: \'{path}\'"):
    load_function(path)


def test_an_import_that_fails_within_the_module_is_not_hidden(tmp_path, monkeypatch):
  (tmp_path / "needs_more.py").write_text("import a_package_nobody_has\n")
  monkeypatch.syspath_prepend(tmp_path)
  with pytest.raises(ModuleNotFoundError, match="a_package_nobody_has"):
    load_function("needs_more.function")
