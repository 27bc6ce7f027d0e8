"""Classify's and Regress's bodies, read back with TensorFlow's own Example."""

import numpy as np
import pytest
import tensorflow as tf

from serving.errors import InvalidArgument
from serving.tensor_json import parse_classify

NO_STRING = "'signature_name' key must be a string value."


def features(body, method="classify"):
  name, examples = parse_classify(body, method)
  return name, [dict(tf.train.Example.FromString(each).features.feature) for each in examples]


def test_kinds_follow_the_values():
  name, [first, second] = features(
    b'{"signature_name":"s","examples":['
    b'{"i":[-1,9223372036854775807],"b":[true,false],"f":[1.5,NaN,1e39],"s":["x",{"b64":"//8="}]},'
    b'{"i":2,"f":2.0,"s":"\xff","e":[]}]}'
  )
  assert name == "s"
  assert list(first["i"].int64_list.value) == [-1, 2**63 - 1]
  assert list(first["b"].int64_list.value) == [1, 0]
  np.testing.assert_array_equal(first["f"].float_list.value, np.float32([1.5, np.nan, np.inf]))
  assert list(first["s"].bytes_list.value) == [b"x", b"\xff\xff"]
  assert list(second["i"].int64_list.value) == [2]
  assert list(second["f"].float_list.value) == [2.0]
  assert list(second["s"].bytes_list.value) == [b"\xff"]
  assert second["e"].WhichOneof("kind") is None


def test_context_is_merged_and_the_example_wins():
  name, [first, second] = features(
    b'{"context":{"a":1,"c":"all"},"examples":[{"a":2},{"b":[%s]}]}' % b",".join([b"7"] * 300)
  )
  assert name == "serving_default"
  assert list(first["a"].int64_list.value) == [2]
  assert list(first["c"].bytes_list.value) == [b"all"]
  assert list(second["a"].int64_list.value) == [1]
  assert list(second["b"].int64_list.value) == [7] * 300


@pytest.mark.parametrize("method", ["classify", "regress"])
@pytest.mark.parametrize(
  ("body", "message"),
  [
    (b"", "JSON Parse error: The document is empty"),
    (b"{}", "JSON Value: {} When method is classify, key 'examples' is expected and was not found"),
    (b'{"examples":{}}',
     "JSON Value: {\"examples\":{}} Expecting 'examples' value to be an list/array"),
    (b'{"examples":[]}', "JSON Value: {\"examples\":[]} 'examples' value is an empty array"),
    (b'{"examples":[[1]]}', "Example must be JSON object but got JSON Array"),
    (b'{"context":null,"examples":[]}', "Example must be JSON object but got JSON Null"),
    (b'{"signature_name":[],"examples":[{}]}',
     f'JSON Value: {{"signature_name":[],"examples":[{{}}]}} not formatted correctly. {NO_STRING}'),
    (b'{"examples":[{"f":[10,10.0]}]}',
     "Unexpected element type in feature: f expecting type: int64"),
    (b'{"examples":[{"f":[1.5,"a"]}]}',
     "Unexpected element type in feature: f expecting type: float"),
    (b'{"examples":[{"f":["a",true]}]}',
     "Unexpected element type in feature: f expecting type: bytes"),
    (b'{"examples":[{"f":[1,{"b64":"?"}]}]}',
     "Unexpected element type in feature: f expecting type: int64"),
    (b'{"examples":[{"f":{"b64":"?"}}]}', "Unable to base64 decode"),
    (b'{"examples":[{"f":9223372036854775808}]}',
     "Feature: f has uint64_t element. Only int64_t is supported."),
    (b'{"examples":[{"f":[null]}]}', "Feature: f has element with unexpected JSON type: Null"),
    (b'{"examples":[{"f":[[1]]}]}', "Feature: f has element with unexpected JSON type: Array"),
    (b'{"examples":[{"f":{"a":1}}]}', "Feature: f has element with unexpected JSON type: Object"),
  ],
)  # fmt: skip
def test_what_does_not_fit(method, body, message):
  with pytest.raises(InvalidArgument) as refused:
    parse_classify(body, method)
  assert str(refused.value) == message


def test_only_these_methods():
  with pytest.raises(ValueError, match="method='predict'"):
    parse_classify(b"{}", "predict")
