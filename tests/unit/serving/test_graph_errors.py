"""What callers read of errors in graphs: messages as TensorFlow's runtime writes them."""

import numpy as np
import pytest
import tensorflow as tf

from serving.errors import InvalidArgument
from serving.graph_errors import for_caller
from serving.sessions import SavedModelSession

_FUNCTIONS = "{{function_node __inference_signature_wrapper_9}} {{function_node __inference_f_7}}"
_PLACE = "\n\t [[{{node servable_input/Assert/Assert}}]]\n\t [[f/_3]]"


@pytest.mark.parametrize(
  ("message", "told"),
  [
    (f"{_FUNCTIONS} assertion failed: [the text is empty]{_PLACE}", "the text is empty"),
    (
      f"assertion failed: [the text is empty (input 2 of 3)]{_PLACE}",
      "the text is empty (input 2 of 3)",
    ),
    # Of a model that others exported, every word stays.
    (
      "assertion failed: [x must be] [x = ] [1]\n\t [[{{node Assert}}]]",
      "assertion failed: [x must be] [x = ] [1]\n\t [[{{node Assert}}]]",
    ),
    (
      "assertion failed: [too long]\n\t [[{{node Assert}}]]",
      "assertion failed: [too long]\n\t [[{{node Assert}}]]",
    ),
    (
      f"{_FUNCTIONS} Invalid PNG data, size 9\n\t [[{{{{node a}}}}]]",
      f"Invalid PNG data, size 9\n\t [[{{{{node a}}}}]] {_FUNCTIONS}",
    ),
    ("Expects arg[0] to be float but string is provided",) * 2,
    ("", ""),
  ],
)  # fmt: skip
def test_the_sentence_comes_first(message, told):
  assert for_caller(message) == told


def test_a_session_tells_the_sentence_of_a_refusal(tmp_path):
  module = tf.Module()

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
  def answer(text):
    with tf.name_scope("servable_input"):
      fine = tf.debugging.Assert(tf.reduce_all(text != b""), [tf.constant("the text is empty")])
    with tf.control_dependencies([fine]):
      return {"text": tf.identity(text)}

  module.answer = answer
  tf.saved_model.save(module, str(tmp_path / "1"), signatures={"serving_default": answer})
  session = SavedModelSession(tmp_path / "1")
  definition = session.signatures["serving_default"]
  feed = {definition.inputs["text"].name: np.array([b""], object)}
  with pytest.raises(InvalidArgument) as caught:
    session.run(feed, [definition.outputs["text"].name])
  session.close()
  assert str(caught.value) == "the text is empty"
