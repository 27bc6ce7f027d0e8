"""What `dlpipe check` prints on the terminal."""

from pipeline.checks.render import lines

_CHECK = {
  "examples": {"train": 4, "val": 0, "eval": 2},
  "lengths": {},
  "findings": [],
  "met": {},
  "quarantined": [],
  "compared": 6,
}


def test_the_share_of_a_label_is_that_of_the_rows():
  labels = {"train": {"red": 4, "round": 1}, "val": {}, "eval": {"red": 1}}
  shown = "\n".join(lines({**_CHECK, "labels": labels}, width=100))
  assert "'red' 4 (100%), 'round' 1 (25%)" in shown
  assert "'red' 1 (50%)" in shown
