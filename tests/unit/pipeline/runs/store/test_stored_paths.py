"""What a store keeps in place of the folder it lies in, and what it leaves alone."""

import json

import pytest

from pipeline.runs.store.stored_paths import ROOT, StoredPaths


@pytest.mark.parametrize(
  ("text", "stored"),
  [
    ("/ws/images", ROOT),
    ("/ws/images/artifacts/Trainer/model/8", f"{ROOT}/artifacts/Trainer/model/8"),
    (
      '{"checkpoint_root": "/ws/images/checkpoints"}',
      f'{{"checkpoint_root": "{ROOT}/checkpoints"}}',
    ),
    ('["/ws/images", "/ws/images"]', f'["{ROOT}", "{ROOT}"]'),
    # Longer names, of which ours is a part.
    ("/ws/images-new/data", "/ws/images-new/data"),
    ("/ws/images2", "/ws/images2"),
    ("/ws/images.bak", "/ws/images.bak"),
    ("/mnt/ws/images/artifacts", "/mnt/ws/images/artifacts"),
    ("gs://ws/images", "gs://ws/images"),
    ("file:///ws/images", "file:///ws/images"),
    ("a/ws/images", "a/ws/images"),
    ("no path", "no path"),
  ],
)
def test_only_the_folder_itself_and_what_lies_in_it_is_stored_otherwise(text, stored):
  assert StoredPaths("/ws/images").stored(text) == stored
  assert StoredPaths("/ws/images").found(stored) == text


@pytest.mark.parametrize("folder", ["/ws/sp ace", "/ws/ünï", '/ws/a"b', "/ws/a\\1b", "/ws/$x.*"])
def test_a_folder_of_any_name_is_found_in_a_path_and_in_json(folder):
  paths, moved = StoredPaths(folder), StoredPaths("/else/where")
  assert moved.found(paths.stored(f"{folder}/a")) == "/else/where/a"
  document = json.dumps({"a": f"{folder}/a"})
  assert folder not in json.loads(paths.stored(document))["a"]
  assert json.loads(moved.found(paths.stored(document))) == {"a": "/else/where/a"}
  # And into such a folder.
  back = moved.stored(json.dumps({"a": "/else/where/a"}))
  assert json.loads(moved.found(back)) == {"a": "/else/where/a"}


def test_it_does_not_matter_how_often(tmp_path):
  paths = StoredPaths(tmp_path)
  once = paths.stored(f"{tmp_path}/a")
  assert paths.stored(once) == once
  assert paths.found(paths.found(once)) == f"{tmp_path}/a"


def test_in_the_root_of_the_file_system_everything_stays():
  assert StoredPaths("/").stored("/data/pictures") == "/data/pictures"
