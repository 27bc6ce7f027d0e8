"""Records of the request log: what is left out of them, and who passes over the note."""

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving.protos import LoggedRequest
from serving.telemetry import logged
from serving.telemetry.logged import Noted


def _example():
  example = tf.train.Example()
  example.features.feature["text"].bytes_list.value.append(b"jane")
  example.features.feature["age"].int64_list.value.append(7)
  return example


def test_a_feature_goes_and_serialized_examples_go_whole():
  record = prediction_log_pb2.PredictionLog()
  serialized = tf.make_tensor_proto([_example().SerializeToString()])
  record.predict_log.request.inputs["examples"].CopyFrom(serialized)
  record.predict_log.request.inputs["age"].CopyFrom(tf.make_tensor_proto([7]))
  logged.without(record, ["text"])
  assert list(record.predict_log.request.inputs) == ["age"]
  record.classify_log.request.input.example_list.examples.append(_example())
  logged.without(record, ["text"])
  [kept] = record.classify_log.request.input.example_list.examples
  assert list(kept.features.feature) == ["age"]
  assert record.WhichOneof("log_type") == "classify_log"


def test_serialized_examples_go_whatever_the_input_is_called():
  record = prediction_log_pb2.PredictionLog()
  inputs = record.predict_log.request.inputs
  inputs["rows"].CopyFrom(tf.make_tensor_proto([b"\xff", _example().SerializeToString()]))
  inputs["other"].CopyFrom(tf.make_tensor_proto([b"jane", b""]))
  logged.without(record, ["name"])
  assert set(inputs) == {"rows", "other"}
  logged.without(record, ["text"])
  assert set(inputs) == {"other"}


def test_nothing_to_leave_out_changes_nothing():
  record = prediction_log_pb2.PredictionLog()
  record.predict_log.request.inputs["examples"].CopyFrom(tf.make_tensor_proto([b"x"]))
  before = record.SerializeToString()
  logged.without(record, [])
  assert record.SerializeToString() == before


def test_the_note_is_unknown_to_those_who_read_a_prediction_log():
  record = prediction_log_pb2.PredictionLog()
  record.log_metadata.model_spec.name = "m"
  both = (
    record.SerializeToString() + Noted("unsure", "order-7", 1234).message(5).SerializeToString()
  )
  assert prediction_log_pb2.PredictionLog.FromString(both).log_metadata.model_spec.name == "m"
  note = LoggedRequest.FromString(both).note
  assert (note.why, note.client_id, note.latency_us, note.id[-2:]) == (
    "unsure",
    "order-7",
    1234,
    "-5",
  )


def test_a_message_with_bytes_that_are_no_text_is_noted():
  note = Noted("error", "order\udc80", error="INVALID_ARGUMENT: \udcff").message(1).note
  assert (note.client_id, note.error) == ("order?", "INVALID_ARGUMENT: ?")
