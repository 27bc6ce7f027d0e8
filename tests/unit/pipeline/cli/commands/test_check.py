"""`dlpipe check --labels` on what cannot work: refused before anything is read or overwritten."""

import pytest

_PAIRS = "".join(f"one {n}\tun {n}\n" for n in range(10))


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (("translation", "--data", "pairs.tsv", "--labels"), "where an answer is one class of several"),
    (("images", "--data", "two", "--suspects", "s.xlsx"), "the name must end in .csv"),
    (("images", "--data", "two", "--suspects", "review.csv"), "exists, and may hold a review"),
    (("images", "--data", "two", "--suspects", "two/s.csv"), "lies in the input 'two'"),
    (("images", "--data", "two", "--page", "two/a/page.html"), "lies in the input 'two'"),
    (("images", "--data", "two", "--page", "pairs.tsv/page.html"), "is no writable folder"),
    (("images", "--data", "two", "--page", "page.html"), "takes the name of a file"),
    (("images", "--data", "two", "--set", "data.relabel=no.csv"), "no.csv' cannot be read"),
    (("images", "--data", "two", "--set", "data.relabel=review.csv"), "has no new_label"),
  ],
)
def test_what_cannot_work_is_refused_at_once(command, tmp_path, make_picture, arguments, message):
  (tmp_path / "pairs.tsv").write_text(_PAIRS)
  (tmp_path / "review.csv").write_text("origin,new_label\na,\n")
  (tmp_path / "page.html").mkdir()
  for label in ("a", "b"):
    (tmp_path / "two" / label).mkdir(parents=True)
    for seed in (1, 2):
      (tmp_path / "two" / label / f"{seed}.png").write_bytes(make_picture(seed=seed))
  done = command("check", *arguments)
  assert done.code == 2, done.stderr
  assert message in done.stderr
  assert done.stderr.count("Error") == 1
  assert (tmp_path / "review.csv").read_text() == "origin,new_label\na,\n"
  assert not (tmp_path / "workspace").exists()
