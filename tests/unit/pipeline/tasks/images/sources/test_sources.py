"""The sources together: which one takes an input, the inferred size, the shipped sample."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from data.images import digits
from dlpipe.errors import BadInputError
from pipeline.tasks.images import shipped
from pipeline.tasks.images.sources import SOURCES, folder, infer_image_size


def first_match(path) -> str | None:
  return next((name for name, source in SOURCES.items() if source.matches(str(path))), None)


def test_class_folders_are_for_folder(class_folders):
  assert first_match(class_folders("cat", "dog")) == "folder"


def test_a_csv_with_pictures_beside_it_is_for_manifest(class_folders):
  root = class_folders("images")
  (root / "labels.csv").write_text("path,label\nimages/0.png,x\n")
  assert first_match(root) == "manifest"


def test_a_csv_of_other_columns_beside_class_folders_is_for_folder(class_folders):
  root = class_folders("cat", "dog")
  (root / "notes.csv").write_text("who,when\nme,now\n")
  assert first_match(root) == "folder"


def test_public_data_sets_find_their_source(dataset):
  assert first_match(dataset("fashion_mnist")) == "idx"
  assert first_match(dataset("mnist_tfrecord_1k")) == "tfrecord"
  assert first_match(dataset("caltech101_subset")) == "folder"


def test_nothing_matches_a_missing_path(tmp_path):
  assert first_match(tmp_path / "gone") is None


@pytest.mark.parametrize(
  ("side", "expected"),
  [(8, 16), (16, 16), (28, 28), (30, 30), (32, 32), (33, 32), (63, 56), (500, 96)],
)
def test_the_inferred_size_is_clipped_and_rounded(side, expected, tmp_path, make_picture):
  for label in ("a", "b"):
    (tmp_path / label).mkdir()
    for i in range(2):
      data = make_picture(width=side + 7, height=side, seed=i)
      (tmp_path / label / f"{i}.png").write_bytes(data)
  assert infer_image_size("folder", str(tmp_path), {}) == expected


def test_the_inferred_size_ignores_what_is_no_picture(class_folders):
  root = class_folders("cat", "dog", count=2)
  (root / "cat" / "0.png").write_bytes(b"")
  (root / "dog" / "x.txt").write_text("hello")
  assert infer_image_size("folder", str(root), {}) == 16


def test_the_inferred_size_of_a_manifest(class_folders):
  root = class_folders("images")
  rows = "".join(f"images/{i}.png,x\n" for i in range(3))
  (root / "labels.csv").write_text("path,label\n" + rows)
  assert infer_image_size("manifest", str(root), {}) == 16


def test_the_shipped_digits(tmp_path, monkeypatch):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  path = shipped.shipped_data()
  assert path == str(tmp_path / "dlpipe" / "images" / "digits")
  plan = folder.plan(path, {})
  assert plan.labels == tuple("0123456789")
  assert sum(len(s["files"]) for s in plan.shards) == 1797
  assert infer_image_size("folder", path, {}) == 16
  assert os.listdir(tmp_path / "dlpipe" / "images") == ["digits"]
  # Written again, the files have the same fingerprint: a cached run stays cached.
  os.rename(path, tmp_path / "before")
  assert folder.plan(shipped.shipped_data(), {}).fingerprint == plan.fingerprint


def test_the_shipped_digits_are_written_once(tmp_path):
  target = tmp_path / "digits"
  digits.write_digits(str(target))
  (target / "0" / "marker").write_text("kept")
  assert digits.write_digits(str(target)) == str(target)
  assert (target / "0" / "marker").read_text() == "kept"


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
  (tmp_path / "file").write_text("")
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
  with pytest.raises(BadInputError, match="Set XDG_CACHE_HOME"):
    shipped.shipped_data()


def test_importing_the_sources_imports_no_tensorflow():
  code = (
    "import sys; import pipeline.tasks.images.sources; import pipeline.tasks.images.shipped;"
    "print(sorted({'tensorflow', 'tfx', 'apache_beam', 'sklearn', 'PIL'} & set(sys.modules)))"
  )
  done = subprocess.run(
    [sys.executable, "-c", code],
    capture_output=True,
    text=True,
    check=True,
    env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
  )
  assert done.stdout == "[]\n"
