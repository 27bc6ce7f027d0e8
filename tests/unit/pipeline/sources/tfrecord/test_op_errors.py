"""TensorFlow's errors in words: messages as its releases write them."""

import pytest
import tensorflow as tf

from pipeline.sources.tfrecord.op_errors import words_of

_FRAMES = 'Detected at node X defined at (most recent call last):\n  File "a.py", line 3, in f\n\n'
_TWO_ROOTS = (
  "2 root error(s) found.\n  (0) INVALID_ARGUMENT: assertion failed: [too large]\n\t "
  "[[{{node a}}]]\n\t [[b/_3]]\n  (1) INVALID_ARGUMENT: assertion failed: [too large]\n"
)


@pytest.mark.parametrize(
  ("message", "expected"),
  [
    ("Graph execution error:\n\nDetected at node X\n[[{{node X}}]]\nno  picture", "no picture"),
    (f"Graph execution error:\n\n{_FRAMES}no picture\n\t [[{{{{node X}}}}]] [Op:f]", "no picture"),
    ("{{function_node a_b}} no picture [[a/b]]\n (0) [[c]]", "no picture"),
    ("Invalid PNG data, size 9 [Op:DecodeImage]", "Invalid PNG data, size 9"),
    ("assertion failed: [too large]\n\t [[{{node Assert/Assert}}]]", "too large"),
    ("assertion failed: [x must be] [x = ] [1 2]", "assertion failed: [x must be] [x = ] [1 2]"),
    (
      _TWO_ROOTS,
      "too large",
    ),
    ("[[{{node X}}]]", "[[{{node X}}]]"),
  ],
)
def test_a_message_says_why_and_not_where(message, expected):
  assert words_of(message) == expected


def test_an_error_without_a_message_is_named():
  assert words_of(ValueError()) == "ValueError"


def test_an_assertion_in_a_function_is_its_sentence():
  @tf.function
  def refuse(value):
    with tf.control_dependencies([tf.debugging.Assert(value != b"", ["the text is empty"])]):
      return tf.identity(value)

  with pytest.raises(tf.errors.InvalidArgumentError) as caught:
    refuse(tf.constant(""))
  assert words_of(caught.value) == "the text is empty"
