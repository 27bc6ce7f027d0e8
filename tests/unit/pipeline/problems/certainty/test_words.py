"""What the terminal says of an answer's doubts."""

import pytest

from pipeline.problems import classes, labels, number

_ANSWER = {"label": "cat", "score": 0.5, "labels": ["cat", "dog"], "scores": [0.5, 0.5]}


@pytest.mark.parametrize(
  ("more", "said"),
  [
    ({}, []),
    ({"set": ["cat"], "familiarity": 0.4, "decision": "accepted"}, []),
    ({"set": ["cat", "dog"], "decision": "unsure"}, ["unsure: cat or dog"]),
    # As REST sends a set.
    ({"set": ["cat", "dog", "", ""], "decision": "unsure"}, ["unsure: cat or dog"]),
    ({"set": [*"abcdefg"], "decision": "unsure"}, ["unsure: a, b, c, d, e or 2 more"]),
    ({"set": ["cat"], "familiarity": 0.003, "decision": "unsure"}, ["unfamiliar (p 0.003)"]),
    (
      {"set": ["cat", "dog"], "familiarity": 0.003, "decision": "unsure"},
      ["unsure: cat or dog", "unfamiliar (p 0.003)"],
    ),
    ({"set": ["cat"], "familiarity": 0.5, "decision": "unsure"}, ["unsure"]),
  ],
)
def test_doubts_follow_the_answer(more, said):
  assert classes.PROBLEM.words({**_ANSWER, **more}) == ["label cat", "score 0.5000", *said]


def test_labels_and_numbers_have_doubts_too():
  several = {**_ANSWER, "label": "cat|dog", "set": ["cat", "dog", "cow"], "decision": "unsure"}
  assert labels.PROBLEM.words(several)[-1] == "unsure: cat, dog or cow"
  outputs = {"value": 3.25, "low": 1.0, "high": 5.5, "familiarity": 0.5, "decision": "accepted"}
  assert number.PROBLEM.words(outputs) == ["value 3.25", "from 1 to 5.5"]


def test_outputs_of_a_tasks_own_with_such_names_are_no_doubts():
  own = {**_ANSWER, "set": 7, "low": "cold", "high": "hot", "decision": "unsure"}
  assert classes.PROBLEM.words(own)[2:] == ["unsure"]
