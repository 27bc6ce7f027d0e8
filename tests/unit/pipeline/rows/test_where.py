"""Conditions on rows: what they select, and that nothing else than a condition is computed."""

import pyarrow as pa
import pytest

from dlpipe.errors import BadInputError
from pipeline.rows.where import matching

TABLE = pa.table(
  {
    "label": pa.array(["cat", "dog", None, "cat"], pa.string()),
    "predicted": pa.array(["dog", "dog", "cat", "cat"], pa.string()),
    "score": pa.array([0.1, 0.9, 0.5, float("nan")], pa.float32()),
    "right": pa.array([False, True, None, True], pa.bool_()),
    "row": pa.array([0, None, 2, 3], pa.int64()),
    "scores": pa.array([[0.1], [0.2], [0.3], [0.4]], pa.list_(pa.float32())),
    "n": pa.array([0, 1, 2, 3], pa.int64()),
    "label_list": pa.array([["cat"], ["cat | cow", "cow"], None, []], pa.list_(pa.string())),
  }
)


@pytest.mark.parametrize(
  ("where", "rows"),
  [
    ("label == 'cat'", [0, 3]),
    ("'cat' == label and predicted == \"dog\"", [0]),
    ("label != predicted", [0]),
    ("label == 'cat' or score > 0.5", [0, 1, 3]),
    ("not right", [0]),
    ("right == True", [1, 3]),
    ("0.2 < score <= 0.9", [1, 2]),
    ("row > -1 and row < 3.5", [0, 2, 3]),
    ("label in ['cat', 'cow']", [0, 3]),
    ("label not in ('cat',)", [1]),
    ("n in [1, 2] and not (n == 2)", [1]),
    ("label in []", []),
    ("'a' in label", [0, 3]),
    ("'cat' in label_list", [0]),
    ("'cat | cow' in label_list and n > 0", [1]),
    ("'cow' not in label_list", [0, 3]),
    ("row is None", [1]),
    ("row is not None and label is None", [2]),
    ("score > 1e999", []),
    ("score < 1e300", [0, 1, 2]),
    ("score == 0.9", [1]),
    ("score >= 0.9 and score <= 0.9", [1]),
    ("score in [0.1, 0.9]", [0, 1]),
    ("  n == 3\n", [3]),
  ],
)
def test_what_fulfils_a_condition(where, rows):
  assert matching(TABLE, where)["n"].to_pylist() == rows


@pytest.mark.parametrize(
  ("where", "why"),
  [
    ("lable == 'cat'", "no column 'lable'. Did you mean 'label'?"),
    ("label == 3", "label is a text and 3 a number"),
    ("score == 'cat'", "score is a number and 'cat' a text"),
    ("score in [1, 'cat']", "score is a number and 'cat' is not"),
    ("label == predicted.lower()", "'predicted.lower()' is not allowed"),
    ("label", "'label' is no truth value"),
    ("scores == 3", "a column of lists cannot be compared"),
    ("label ==", "it cannot be parsed"),
    (r"label == '\ud800'", "holds half a character"),
    ("label = 'cat'", "it cannot be parsed"),
    (f"n < 1{'0' * 400}", "it cannot be parsed"),
    ("", "it cannot be parsed"),
    ("1 == 1", "1 and 1 are no columns"),
    ("n + 1 == 2", "'n + 1' is not allowed"),
    ("__import__('os').system('true')", "is not allowed"),
    ("[n for n in 'ab']", "is not allowed"),
    ("label is 'cat'", "`is` compares a column with None"),
    ("label < None", "`is` compares a column with None"),
    ("'a' in score", "`in` before a column takes a text"),
    ("label in 'cat'", "`in` takes a column and a list"),
    ("(" * 300 + "n" + ")" * 300, "it cannot be parsed"),
    ("right and " * 2_000 + "right", "more than 10,000 characters"),
  ],
)
def test_anything_else_is_refused_with_the_columns(where, why):
  with pytest.raises(BadInputError) as refused:
    matching(TABLE, where)
  assert why in str(refused.value)
  assert str(refused.value).endswith(f"Columns: {', '.join(TABLE.column_names)}.")
