"""`rollback`: an earlier version is published again, under the next number."""

import pytest

from components.versioned_pusher.publish import publish, rollback
from components.versioned_pusher.version_folders import (
  content_digest,
  is_whole,
  list_versions,
  version_record,
)
from dlpipe.errors import BadInputError


def test_rollback_republishes_the_previous_version(tmp_path, write_model):
  base = tmp_path / "base"
  for text in ("one", "two"):
    publish(write_model(tmp_path / text, text), base)
  assert rollback(base) == 3
  assert content_digest(base / "3") == content_digest(base / "1")
  record = version_record(base, 3)
  assert (record["version"], record["rollback_of"], record["first_version"]) == (3, 1, 1)
  assert record["pushed_from"] == "one"


def test_repeated_rollbacks_walk_back(tmp_path, write_model):
  base = tmp_path / "base"
  for text in ("one", "two", "three"):
    publish(write_model(tmp_path / text, text), base)
  assert [version_record(base, rollback(base))["rollback_of"] for _ in range(2)] == [2, 1]
  with pytest.raises(BadInputError, match="older than the model now served .version 1."):
    rollback(base)


def test_a_model_keeps_its_first_number_through_a_rollback_to_a_rollback(tmp_path, write_model):
  base = tmp_path / "base"
  for text in ("one", "two"):
    publish(write_model(tmp_path / text, text), base)
  assert rollback(base) == 3
  publish(write_model(tmp_path / "four", "four"), base)
  assert rollback(base, 3) == 5
  record = version_record(base, 5)
  assert (record["first_version"], record["rollback_of"]) == (1, 3)
  with pytest.raises(BadInputError, match=r"older than the model now served \(version 1\)"):
    rollback(base)


def test_rollback_to_a_named_version_also_goes_forward(tmp_path, write_model):
  base = tmp_path / "base"
  for text in ("one", "two"):
    publish(write_model(tmp_path / text, text), base)
  rollback(base)
  assert rollback(base, 2) == 4
  assert content_digest(base / "4") == content_digest(base / "2")


def test_rollback_of_versions_that_something_else_pushed(tmp_path, write_model):
  base = tmp_path / "base"
  write_model(base / "100", "one")
  write_model(base / "200", "two")
  assert rollback(base) == 201
  assert content_digest(base / "201") == content_digest(base / "100")


def test_a_rollback_repairs_nothing(tmp_path, write_model):
  model, base = write_model(tmp_path / "one", "one"), tmp_path / "base"
  publish(model, base)
  (base / "1" / "saved_model.pb").write_bytes(b"")
  publish(model, base)
  publish(write_model(tmp_path / "three", "three"), base)
  assert version_record(base, 2)["repairs"] == 1
  assert rollback(base, 2) == 4
  assert "repairs" not in version_record(base, 4)


@pytest.mark.parametrize(
  ("to", "message"),
  [
    (9, "No version 9 to roll back to. Known versions in .*: 1, 2."),
    (2, "Version 2 is the newest and served already. Known versions in .*: 1, 2."),
  ],
)
def test_rollback_to_a_useless_version_lists_the_known_ones(tmp_path, to, message, write_model):
  for text in ("one", "two"):
    publish(write_model(tmp_path / text, text), tmp_path / "base")
  with pytest.raises(BadInputError, match=message):
    rollback(tmp_path / "base", to)
  assert list_versions(tmp_path / "base") == [1, 2]


def test_rollback_without_any_version_makes_nothing(tmp_path):
  with pytest.raises(BadInputError, match="Expected model versions in .*base. Found none"):
    rollback(tmp_path / "base")
  assert not (tmp_path / "base").exists()


def test_a_damaged_version_is_not_rolled_back_to(tmp_path, write_model):
  base = tmp_path / "base"
  for text in ("one", "two", "three"):
    publish(write_model(tmp_path / text, text), base)
  (base / "2" / "saved_model.pb").write_bytes(b"edited")
  for to in (2, None):
    with pytest.raises(BadInputError, match=r"Version 2 is damaged.* roll back to: 1\."):
      rollback(base, to)
  assert rollback(base, 1) == 4
  assert is_whole(base, 4)
