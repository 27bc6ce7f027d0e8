"""Predict's bodies: what they become, and the exact words for what they cannot become."""

import typing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from serving.errors import InvalidArgument, ServingError, Unimplemented
from serving.tensor_json import parse_predict, to_inputs, write_predict
from serving.tensor_json.document import read_values
from serving.tensor_json.reader import read_document

FLOAT, DOUBLE, INT32, UINT8, INT16, INT8, STRING, INT64, BOOL = 1, 2, 3, 4, 5, 6, 7, 9, 10
HALF, UINT32, UINT64 = 19, 22, 23


class Info(typing.NamedTuple):
  dtype: int


def inputs(body, **dtypes):
  return to_inputs(parse_predict(body), {name: Info(dtype) for name, dtype in dtypes.items()})


def check(body, dtype, expected, is_row):
  found, row = inputs(body, x=dtype)
  assert (list(found), row) == (["x"], is_row)
  assert found["x"].dtype == expected.dtype
  assert found["x"].shape == expected.shape
  np.testing.assert_array_equal(found["x"], expected)


@pytest.mark.parametrize(
  ("body", "dtype", "expected", "is_row"),
  [
    (b'{"instances":[1.0,2,5e-1]}', FLOAT, np.float32([1, 2, 0.5]), True),
    (b'{"instances":[[1,2],[3,4]]}', FLOAT, np.float32([[1, 2], [3, 4]]), True),
    (b'{"instances":[[[1],[2]]]}', INT32, np.int32([[[1], [2]]]), True),
    (b'{"inputs":[1,2]}', INT64, np.int64([1, 2]), False),
    (b'{"inputs":3}', DOUBLE, np.float64(3), False),
    (b'{"inputs":{"x":[3],"unknown":["ignored"]}}', INT32, np.int32([3]), False),
    (b'{"inputs":[]}', FLOAT, np.zeros(0, np.float32), False),
    (b'{"inputs":[[],[]]}', INT32, np.zeros((2, 0), np.int32), False),
    (b'{"inputs":[]}', HALF, np.zeros(0, np.float16), False),
    (b'{"instances":[{"x":[1]},{"x":[2]}]}', UINT32, np.uint32([[1], [2]]), True),
    (b'{"instances":[18446744073709551615]}', UINT64, np.uint64([2**64 - 1]), True),
    (b'{"instances":[-9223372036854775808]}', INT64, np.int64([-(2**63)]), True),
    (b'{"instances":[9007199254740993]}', INT64, np.int64([2**53 + 1]), True),
    (b'{"instances":[16777217]}', FLOAT, np.float32([16777216]), True),
    (b'{"instances":[300,-1]}', UINT8, np.uint8([44, 255]), True),
    (b'{"instances":[128]}', INT8, np.int8([-128]), True),
    (b'{"instances":[-32769]}', INT16, np.int16([32767]), True),
    (b'{"instances":[true,false]}', BOOL, np.array([True, False]), True),
    (b'{"instances":[NaN,Inf,-Infinity,1e39]}', FLOAT,
     np.float32([np.nan, np.inf, -np.inf, np.inf]), True),
    (b'{"inputs":[-0,-0.0]}', FLOAT, np.float32([0, -0.0]), False),
    (b'{"instances":["a",{"b64":"aGVsbG8="}]}', STRING, np.array([b"a", b"hello"], object), True),
    (b'{"inputs":{"b64":"aGVs bG8"}}', STRING, np.array(b"hello", object), False),
    (b'{"inputs":"\xc3\xa9"}', STRING, np.array("é".encode(), object), False),
    (b'{"instances":["\xff\xfe","\\u0000"]}', STRING, np.array([b"\xff\xfe", b"\0"], object), True),
    (b'{"instances":[[1],[2]],"other":{"a":[]}}', FLOAT, np.float32([[1], [2]]), True),
    (b'{"instances":[1],"instances":["second is ignored"]}', INT32, np.int32([1]), True),
    (b'{"inputs":[1]} and what follows', INT32, np.int32([1]), False),
  ],
)  # fmt: skip
def test_values(body, dtype, expected, is_row):
  check(body, dtype, expected, is_row)


def test_minus_zero_keeps_its_sign_with_a_fraction():
  found, _ = inputs(b'{"inputs":[-0,-0.0]}', x=FLOAT)
  assert np.signbit(found["x"]).tolist() == [False, True]


def test_objects_give_an_array_an_input():
  found, row = inputs(b'{"instances":[{"b":"x","a":[1,2]},{"a":[3,4],"b":"y"}]}', a=INT32, b=STRING)
  assert row
  assert found["a"].tolist() == [[1, 2], [3, 4]]
  assert found["b"].tolist() == [b"x", b"y"]


@pytest.mark.parametrize(
  ("body", "name"),
  [
    (b'{"inputs":1}', "serving_default"),
    (b'{"inputs":[1],"signature_name":""}', "serving_default"),
    (b'{"inputs":[1],"signature_name":"other"}', "other"),
    (b'{"signature_name":"a[,]:\\n","inputs":[1]}', "a[,]:\n"),
  ],
)
def test_signature(body, name):
  parsed = parse_predict(body)
  assert parsed.signature_name == name
  assert to_inputs(parsed, {"x": Info(INT32)})[0]["x"].reshape(-1).tolist() == [1]


NO_STRING = "'signature_name' key must be a string value."
ONLY_ONE = "expecting only one of 'inputs' or 'instances' keys to exist "
AS_PER_MAP = "as multiple input tensors required as per tensorinfo_map"
ELEMENT = "Failed to process element: "
OF_LIST = " of 'instances' list. Error: INVALID_ARGUMENT: "


@pytest.mark.parametrize(
  ("body", "message"),
  [
    (b"", "JSON Parse error: The document is empty"),
    (b"{]", "JSON Parse error: Missing a name for object member. at offset: 1"),
    (b"[1,2]", "JSON Value: [1,2] Is not object"),
    (b"2.50", "JSON Value: 2.5 Is not object"),
    (b'{"signature_name":5}',
     f'JSON Value: {{"signature_name":5}} not formatted correctly. {NO_STRING}'),
    (b"{}", "Missing 'inputs' or 'instances' key"),
    (b'{"inputs":1,"instances":[1]}',
     f'JSON Value: {{"inputs":1,"instances":[1]}} Not formatted correctly {ONLY_ONE}'),
    (b'{"instances":1}', "JSON Value: {\"instances\":1} Expecting 'instances' to be an list/array"),
    (b'{"instances":[]}', "JSON Value: {\"instances\":[]} No values in 'instances' array"),
    (b'{"instances":[[1,2],[3]]}', f"{ELEMENT}1{OF_LIST}Expecting tensor size: 2 but got: 1"),
    (b'{"instances":[[1],[]]}', f"{ELEMENT}1{OF_LIST}Expecting tensor size: 1 but got: 0"),
    (b'{"instances":[[1,2],[[1,2]]]}', f"{ELEMENT}1{OF_LIST}Expecting shape [2] but got: [1,2]"),
    (b'{"instances":[1,[1]]}', f"{ELEMENT}1{OF_LIST}Expecting shape [] but got: [1]"),
    (b'{"instances":[1,{"x":1}]}', "Expecting value/list but got object at item 1 of input list"),
    (b'{"instances":[{"x":1},1]}', "Expecting object but got list at item 1 of input list"),
    (b'{"instances":[{"x":1},{"b64":"aa"}]}',
     "Expecting object but got list at item 1 of input list"),
    (b'{"instances":[{"x":1,"y":2}]}',
     f"{ELEMENT}0 key: y{OF_LIST}JSON object: does not have named input: y"),
    (b'{"instances":[{"x":1},{}]}',
     f"{ELEMENT}1 of 'instances' list. JSON object: {{}} keys must be equal to: x"),
    (b'{"instances":[{"x":1},{"x":2.0}]}',
     f"{ELEMENT}1 key: x{OF_LIST}JSON Value: 2.0 Type: Number is not of expected type: int32"),
    (b'{"instances":[1,"1"]}',
     f'{ELEMENT}1{OF_LIST}JSON Value: "1" Type: String is not of expected type: int32'),
    (b'{"inputs":{"y":1}}', "Missing named input: x in 'inputs' object."),
    (b'{"inputs":[[1,2],[3]]}',
     "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
    (b'{"inputs":[[1,2],3]}',
     "JSON Value: 3 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
    (b'{"inputs":[1,[2]]}', "Encountered list at unexpected level: 1 expected < 1"),
    (b'{"inputs":[[[1],[2]],[[3],4]]}',
     "JSON Value: 4 found at incorrect level: 3 in the JSON DOM. Expected at level: 3"),
    (b'{"inputs":1.0}', "JSON Value: 1.0 Type: Number is not of expected type: int32"),
    (b'{"inputs":NaN}', "JSON Value: NaN Type: Number is not of expected type: int32"),
    (b'{"inputs":2147483648}',
     "JSON Value: 2147483648 Type: Number is not of expected type: int32"),
    (b'{"inputs":true}', "JSON Value: true Type: True is not of expected type: int32"),
    (b'{"inputs":false}', "JSON Value: false Type: False is not of expected type: int32"),
    (b'{"inputs":null}', "JSON Value: null Type: Null is not of expected type: int32"),
    (b'{"inputs":[{}]}', "JSON Value: {} Type: Object is not of expected type: int32"),
    (b'{"inputs":{"b64":"YQ=="}}',
     'JSON Value: {"b64":"YQ=="} Type: Object is not of expected type: int32'),
  ],
)  # fmt: skip
def test_what_does_not_fit(body, message):
  with pytest.raises(InvalidArgument) as refused:
    inputs(body, x=INT32)
  assert str(refused.value) == message


@pytest.mark.parametrize(
  ("value", "dtype", "message"),
  [
    (b'"x"', FLOAT, 'JSON Value: "x" Type: String is not of expected type: float'),
    (b"true", DOUBLE, "JSON Value: true Type: True is not of expected type: double"),
    (b"1", BOOL, "JSON Value: 1 Type: Number is not of expected type: bool"),
    (b"1", STRING, "JSON Value: 1 Type: Number is not of expected type: string"),
    (b"-1", UINT64, "JSON Value: -1 Type: Number is not of expected type: uint64"),
    (b"4294967296", UINT32, "JSON Value: 4294967296 Type: Number is not of expected type: uint32"),
    (b"9223372036854775808", INT64,
     "JSON Value: 9223372036854775808 Type: Number is not of expected type: int64"),
    (b"18446744073709551616", UINT64,
     "JSON Value: 1.84467441e+19 Type: Number is not of expected type: uint64"),
    (b"1.0", UINT8, "JSON Value: 1.0 Type: Number is not of expected type: uint8"),
    (b'{"b64":"YQ"}', FLOAT,
     'JSON Value: {"b64":"YQ"} Type: Object is not of expected type: float'),
    (b'{"b64":1}', STRING, 'JSON Value: {"b64":1} not formatted correctly for base64 data'),
    (b'{"b64":"YQ","b64":"YQ"}', STRING,
     'JSON Value: {"b64":"YQ","b64":"YQ"} not formatted correctly for base64 data'),
    (b'{"b64":"Y"}', STRING, "Unable to base64 decode"),
    (b'{"b64":"YQ="}', STRING, "Unable to base64 decode"),
    (b'{"b64":"Y-_="}', STRING, "Unable to base64 decode"),
    (b'{"b64":"YQ==YQ=="}', STRING, "Unable to base64 decode"),
  ],
)  # fmt: skip
def test_what_is_of_another_type(value, dtype, message):
  with pytest.raises(InvalidArgument) as refused:
    inputs(b'{"inputs":[%s]}' % value, x=dtype)
  assert str(refused.value) == message


def test_types_that_json_does_not_carry():
  message = "Conversion of JSON Value: 1.5 to type: half"
  with pytest.raises(Unimplemented) as refused:
    inputs(b'{"inputs":[1.5]}', x=HALF)
  assert str(refused.value) == message
  with pytest.raises(InvalidArgument) as refused:
    inputs(b'{"instances":[1.5]}', x=HALF)
  assert str(refused.value) == f"{ELEMENT}0 of 'instances' list. Error: UNIMPLEMENTED: {message}"


@pytest.mark.parametrize(
  ("body", "message"),
  [
    (b'{"instances":[1]}',
     f"instances is a plain list, but expecting list of objects {AS_PER_MAP}"),
    (b'{"inputs":[1]}', f"inputs is a plain value/list, but expecting an object {AS_PER_MAP}"),
    (b'{"instances":[{"a":1}]}',
     f"{ELEMENT}0 of 'instances' list. JSON object: {{\"a\":1}} keys must be equal to: a,b"),
  ],
)  # fmt: skip
def test_several_inputs_need_names(body, message):
  with pytest.raises(InvalidArgument) as refused:
    inputs(body, b=INT32, a=INT32)
  assert str(refused.value) == message


def test_a_signature_without_inputs():
  with pytest.raises(InvalidArgument, match="^Failed to get input map for signature: nothing$"):
    inputs(b'{"inputs":1,"signature_name":"nothing"}')


def test_values_in_messages_are_cut():
  body = b'{"signature_name":1,"x":[' + b"1," * 1000 + b'1],"y":"' + b"y" * 1000 + b'"}'
  with pytest.raises(InvalidArgument) as refused:
    parse_predict(body)
  text = str(refused.value)
  assert text.startswith('JSON Value: {"signature_name":1,"x":[1,1,1,')
  assert text.endswith("... not formatted correctly. 'signature_name' key must be a string value.")
  assert len(text) < 400
  with pytest.raises(InvalidArgument) as refused:
    parse_predict(b'"%s"' % (b"y" * 1000))
  assert str(refused.value) == f'JSON Value: "{"y" * 1000}" Is not object'


def test_bytes_that_are_not_utf8_are_kept_in_messages():
  with pytest.raises(InvalidArgument) as refused:
    inputs(b'{"inputs":"\xff"}', x=FLOAT)
  assert str(refused.value).encode("utf-8", "surrogateescape") == (
    b'JSON Value: "\xff" Type: String is not of expected type: float'
  )


def test_half_a_million_nested_lists_are_an_error():
  depth = 500_000
  with pytest.raises(InvalidArgument, match="^tensor parsing error: x$"):
    inputs(b'{"inputs":' + b"[" * depth + b"]" * depth + b"}", x=INT32)


_DTYPES = {
  FLOAT: np.float32, DOUBLE: np.float64, INT32: np.int32, UINT8: np.uint8, INT16: np.int16,
  INT8: np.int8, INT64: np.int64, BOOL: np.bool_, UINT32: np.uint32, UINT64: np.uint64,
}  # fmt: skip


@given(st.data(), st.sampled_from(sorted(_DTYPES)), st.booleans())
@settings(max_examples=150, deadline=None)
def test_what_is_written_reads_back(data, dtype, row):
  shape = data.draw(hnp.array_shapes(min_dims=int(row), max_dims=3, min_side=0, max_side=4))
  if row and not shape[0]:
    return  # a row request without rows is an error
  array = data.draw(hnp.arrays(_DTYPES[dtype], shape))
  body = write_predict({"x": array}, row=row)
  key = b'"instances"' if row else b'"inputs"'
  found, is_row = inputs(body.replace(b'"predictions"' if row else b'"outputs"', key), x=dtype)
  assert is_row == row
  assert found["x"].dtype == array.dtype
  # Behind a length of 0 JSON holds no more lengths.
  end = shape.index(0) + 1 if 0 in shape else len(shape)
  assert found["x"].shape == shape[:end]
  np.testing.assert_array_equal(found["x"], array.reshape(shape[:end]))


@given(
  hnp.arrays(object, hnp.array_shapes(max_dims=2, max_side=3), elements=st.binary(max_size=5)),
  st.sampled_from(["x", "x_bytes"]),
)
@settings(deadline=None)
def test_strings_of_any_bytes_read_back(array, name):
  body = write_predict({name: array}, row=True).replace(b"predictions", b"instances")
  found, _ = inputs(body, **{name: STRING})
  assert found[name].tolist() == array.tolist()


_JSON = st.recursive(
  st.sampled_from(["1", "2.5", "-3", "true", "null", '"a"', '"b:"', "NaN", "1e3", "99999999999"]),
  lambda inner: st.one_of(
    st.lists(inner, max_size=4).map(lambda items: f"[{','.join(items)}]"),
    st.lists(st.tuples(st.sampled_from(["a", "b64", "c"]), inner), max_size=3).map(
      lambda items: "{" + ", ".join(f'"{name}" : {value}' for name, value in items) + "}"
    ),
  ),
  max_leaves=12,
)


@given(_JSON, st.sampled_from(["instances", "inputs"]), st.sampled_from([FLOAT, INT32, STRING]))
@settings(max_examples=150, deadline=None)
def test_every_way_through_gives_the_same(value, key, dtype):
  body = f'{{"{key}":{value}}}'.encode()
  assert repr(read_values(body)) == repr(read_document(body))
  answers = []
  # A member beside it keeps the body from being read as one tensor of numbers; NaN, from simdjson.
  for more in (b"", b', "more": ""', b', "more": NaN'):
    try:
      found, _ = inputs(body[:-1] + more + b"}", x=dtype)
      answers.append((found["x"].dtype, found["x"].shape, repr(found["x"].tolist())))
    except ServingError as err:
      answers.append(
        str(err).replace(more.decode(), "").replace(more.decode().replace(" ", ""), "")
      )
  assert answers[0] == answers[1] == answers[2]
