"""The versions of a served directory, each with its own profile."""

import pathlib

from pipeline.drift import served


def test_each_version_has_its_own_profile(serve, profiled, reviews):
  first, _ = profiled("first", reviews(30))
  second, _ = profiled("second", reviews(40, seed=2))
  serve(1, first)
  serve(2, second)
  folder = pathlib.Path(serve(4))
  (folder / "4" / "data_profile.json").write_text("{")
  found = served.find(folder)
  assert (found.version, found.profile) == (4, None), "damaged"
  assert (found.profile_of(1).rows, found.profile_of(2).rows) == (30, 40)
  assert found.profile_of(3) is None, "not there"
  assert served.find(folder, 1).profile_of(2).rows == 40
