"""Which requests are logged: a random part, and whatever a random part would miss."""

import contextlib
import threading

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, predict_pb2

from serving.models.classification import Classes
from serving.models.tensors import fill_proto
from serving.telemetry import sampling
from serving.telemetry.sampling import Answer, Sampler, Sampling


def test_the_random_part_is_of_the_rate():
  sampler = Sampler(Sampling(rate=0.2))
  kept = sum(sampler.why(None) == "sampled" for _ in range(5000))
  assert 800 < kept < 1200
  assert Sampler(Sampling(rate=0.0)).why(None) is None
  assert Sampler(Sampling(rate=1.0)).why(None) == "sampled"


def test_one_unsure_row_keeps_a_request():
  sampler = Sampler(Sampling(rate=0.0, unsure_below=0.6))
  assert sampler.why(Answer([0.9, 0.59], [])) == "unsure"
  assert sampler.why(Answer([0.9, 0.6], [])) is None
  assert sampler.why(Answer([], [])) is None


def test_a_label_is_rare_until_it_is_common():
  sampler = Sampler(Sampling(rate=0.0, rare_below=0.1))
  for _ in range(100):
    sampler.why(Answer([], [b"pos"]))
  found = [sampler.why(Answer([], [b"neg"])) for _ in range(40)]
  assert found[:5] == ["rare"] * 5
  assert found[-5:] == [None] * 5


def test_the_memory_of_labels_is_bounded():
  sampler = Sampler(Sampling(rate=0.0, rare_below=0.001))
  for number in range(20_000):
    sampler.why(Answer([], [number]))
  assert len(sampler._counts) <= 1000


@pytest.mark.parametrize("as_content", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_scores_and_labels_of_a_message(dtype, as_content):
  response = predict_pb2.PredictResponse()
  scores = np.array([0.25, 0.5], dtype)
  fill_proto(response.outputs["score"], scores, as_content=as_content)
  response.outputs["label"].CopyFrom(tf.make_tensor_proto([b"a", b"b"]))
  found = sampling.of_message("Predict", response)
  assert (list(found.scores), list(found.labels)) == ([0.25, 0.5], [b"a", b"b"])
  assert sampling.of_message("Predict", predict_pb2.PredictResponse()) == Answer()
  assert sampling.of_message("Regress", None) == Answer()


def test_the_best_class_is_the_answer():
  response = classification_pb2.ClassificationResponse()
  classes = response.result.classifications.add().classes
  classes.add(label="a", score=0.25)
  classes.add(label="b", score=0.75)
  assert sampling.of_message("Classify", response) == Answer([0.75], ["b"])
  scores = np.array([[0.25, 0.75]], np.float32)
  labels = np.array([[b"a", b"b"]], object)
  assert sampling.of_classes(Classes(labels, scores)) == Answer([0.75], [b"b"])
  assert sampling.of_classes(scores) == Answer()


def test_outputs_of_these_names_may_be_something_else():
  sampler = Sampler(Sampling(rate=0.0, unsure_below=0.6, rare_below=0.5))
  outputs = {"score": np.array([b"high"], object), "label": np.array([[1, 2]])}
  assert sampling.of_arrays(outputs) == Answer((), [1, 2])
  assert sampler.why(sampling.of_arrays(outputs)) is None


def test_an_answer_of_several_labels_is_as_sure_as_its_least_sure_label():
  scores = np.array([[0.875, 0.125], [0.875, 0.375]], np.float32)
  outputs = {"label": np.array([b"a", b"a"], object), "scores": scores}
  assert sampling.of_arrays(outputs).scores == [0.875, 0.625]
  assert Sampler(Sampling(rate=0.0, unsure_below=0.7)).why(sampling.of_arrays(outputs)) == "unsure"
  response = predict_pb2.PredictResponse()
  fill_proto(response.outputs["scores"], scores, as_content=True)
  response.outputs["label"].CopyFrom(tf.make_tensor_proto([b"a", b"a"]))
  assert sampling.of_message("Predict", response).scores == [0.875, 0.625]
  # Scores of another model, beside no label, say nothing.
  assert sampling.of_arrays({"scores": scores}) == Answer()


def test_threads_count_one_after_the_other():
  """A new label while another thread went through the counts failed that thread's request."""
  sampler = Sampler(Sampling(rate=0.0, rare_below=0.1))
  meeting, met = threading.Barrier(2), []

  class Label:
    def __hash__(self):
      with contextlib.suppress(threading.BrokenBarrierError):
        met.append(meeting.wait(timeout=0.5))
      return 1

  threads = [threading.Thread(target=sampler.why, args=(Answer([], [Label()]),)) for _ in range(2)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert not met


def test_the_random_part_has_its_share_of_the_unsure_and_the_rare():
  sampler = Sampler(Sampling(rate=0.5, unsure_below=0.6, rare_below=0.1))
  found = [sampler.why(Answer([0.5 if turn % 2 else 0.9], ["a"])) for turn in range(4000)]
  assert {why for why in found[1::2] if why != "sampled"} == {"unsure"}
  unsure, sure = found[1::2].count("sampled"), found[::2].count("sampled")
  assert 800 < unsure < 1200
  assert 800 < sure < 1200


def test_a_score_below_zero_is_unsure_only_if_that_was_asked_for():
  assert Sampler(Sampling(rate=0.0, rare_below=0.1)).why(Answer([-0.5], [])) is None


def test_a_score_that_is_no_number_is_unsure():
  sampler = Sampler(Sampling(rate=0.0, unsure_below=0.6))
  assert sampler.why(Answer([float("nan")], ["a"])) == "unsure"
  assert sampler.why(Answer([0.6], ["a"])) is None
