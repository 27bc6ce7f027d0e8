"""SavedModels in a Session: what runs in which thread, what cannot be loaded, what errors say."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from serving.errors import DataLoss, DeadlineExceeded, InvalidArgument, NotFound
from serving.models import sessions
from serving.models.sessions import SavedModelSession, SessionOptions, for_caller

_FUNCTIONS = "{{function_node __inference_signature_wrapper_9}} {{function_node __inference_f_7}}"
_PLACE = "\n\t [[{{node servable_input/Assert/Assert}}]]\n\t [[f/_3]]"


@pytest.fixture
def session(saved_model):
  made = SavedModelSession(saved_model, SessionOptions(intra_op_parallelism=1))
  yield made
  made.close()


def _names(session, signature="serving_default"):
  definition = session.signatures[signature]
  return (
    {name: info.name for name, info in definition.inputs.items()},
    {name: info.name for name, info in definition.outputs.items()},
  )


def _feeds(inputs, rows):
  return {inputs["rows"]: rows, inputs["name"]: np.array([b"x"], object)}


def test_a_graph_is_optimized_once_unless_the_operator_says_how_often():
  def iterations(said):
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.meta_optimizer_iterations = said
    options = SessionOptions(config=config.SerializeToString())
    return sessions._config(options).graph_options.rewrite_options.meta_optimizer_iterations

  assert [iterations(said) for said in (0, 1, 2)] == [1, 1, 2]


def test_only_what_is_asked_for_is_computed(session):
  inputs, outputs = _names(session)
  rows = np.float32([[1, 2, 3]])
  (scaled,) = session.run(_feeds(inputs, rows), [outputs["scaled"]])
  assert scaled.tolist() == [[2, 4, 6]]


def test_scalars_are_arrays(session):
  inputs, outputs = _names(session, "count")
  feeds = {inputs["n"]: np.zeros(1, np.uint8), inputs["flag"]: np.array(True)}
  flag, n = session.run(feeds, [outputs["flag"], outputs["n"]])
  assert (flag.shape, flag.dtype, flag.tolist()) == ((), np.bool_, False)
  assert n.tolist() == [1]


@pytest.mark.parametrize("name", ["nobody:0", "nobody", "a b:c"])
def test_a_tensor_that_is_not_there(session, name):
  with pytest.raises(InvalidArgument, match=f"Tensor {name}, specified in either feed_devices"):
    session.run({}, [name])


def test_a_long_run_goes_on_in_the_pool_until_it_is_quick_again(session, monkeypatch):
  inputs, outputs = _names(session)
  feeds, fetches = _feeds(inputs, np.zeros((1, 3), np.float32)), [outputs["scaled"]]
  for _ in range(sessions._QUICK_RUNS + 1):
    session.run(feeds, fetches)
  key = tuple(fetches)
  assert session._runs_in_pool[key] == 0
  monkeypatch.setattr(sessions, "_LONG_RUN_S", -1.0)
  session.run(feeds, fetches)
  assert session._runs_in_pool[key] == sessions._QUICK_RUNS
  monkeypatch.setattr(sessions, "_LONG_RUN_S", 60.0)
  session.run(feeds, fetches, timeout_s=300)
  assert session._runs_in_pool[key] == sessions._QUICK_RUNS - 1


def test_a_deadline_that_is_over(session):
  inputs, outputs = _names(session)
  feeds = _feeds(inputs, np.zeros((10_000_000, 3), np.float32))
  with pytest.raises(DeadlineExceeded, match="Timed out waiting for notification"):
    session.run(feeds, [outputs["scaled"]], timeout_s=1e-9)


def test_what_cannot_be_loaded(saved_model, tmp_path):
  with pytest.raises(NotFound, match="Could not find SavedModel .pb or .pbtxt at supplied export"):
    SavedModelSession(tmp_path)
  with pytest.raises(NotFound, match="matching supplied tags: { gpu train }. To inspect"):
    SavedModelSession(saved_model, SessionOptions(tags=("gpu", "train")))
  broken = tmp_path / "broken"
  shutil.copytree(saved_model, broken)
  (broken / "saved_model.pb").write_bytes(b"garbage")
  with pytest.raises(DataLoss, match="Can't parse .*saved_model.pb as binary proto"):
    SavedModelSession(broken)


@pytest.mark.parametrize("chosen", [None, "HEURISTICS"])
def test_the_memory_optimizer_is_off_unless_it_is_asked_for(chosen):
  given = tf.compat.v1.ConfigProto()
  rewrites = given.graph_options.rewrite_options
  if chosen:
    rewrites.memory_optimization = getattr(rewrites, chosen)
  config = sessions._config(SessionOptions(config=given.SerializeToString()))
  expected = getattr(rewrites, chosen or "NO_MEM_OPT")
  assert config.graph_options.rewrite_options.memory_optimization == expected


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
