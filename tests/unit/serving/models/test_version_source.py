"""Which folders below a base path are versions."""

import pytest

from serving.models.version_source import find_versions


def test_a_version_is_a_child_whose_whole_name_is_a_number(tmp_path):
  for name in (
    "1",
    "00000123",
    "v2",
    "1.5",
    "3x",
    "tmp-7",
    ".4",
    "-5",
    "\u0661",
    "9" * 30,
    "0",
    str(2**63),
  ):
    (tmp_path / name).mkdir()
  (tmp_path / "12").write_text("a file is one, too")
  (tmp_path / str(2**63 - 1)).mkdir()
  found = find_versions(tmp_path)
  assert {number: path.name for number, path in found.items()} == {
    0: "0",
    1: "1",
    12: "12",
    123: "00000123",
    2**63 - 1: "9223372036854775807",
  }


def test_of_two_names_for_one_number_the_later_in_order_wins(tmp_path):
  for name in ("07", "7"):
    (tmp_path / name).mkdir()
  assert find_versions(tmp_path)[7].name == "7"


def test_a_base_path_that_is_not_there(tmp_path):
  with pytest.raises(FileNotFoundError):
    find_versions(tmp_path / "none")
