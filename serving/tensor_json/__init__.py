"""TensorFlow Serving's REST JSON to numpy and back; knows neither HTTP nor models.

    parse_predict(body)                     -> ParsedPredict(signature_name, ...)
    to_inputs(parsed, signature.inputs)     -> ({name: array}, is_row)
    write_predict({name: array}, row=...)   -> body
    parse_classify(body, method)            -> (signature_name, [serialized tf.Example])
    write_classify([[(label, score)]])      -> body
    write_regress(values)                   -> body
    write_error(message)                    -> body

Every refusal is an error of `serving/errors.py` with TensorFlow Serving's text. The modules, from
bytes to arrays: `document` (simdjson) and `reader` (exact), `arrays`, `predict`, `examples`; and
back: `responses`, `decimals`; `describe` shows values in messages. Imports numpy and pysimdjson,
no TensorFlow.

Source of the rules: tensorflow_serving/util/json_tensor.cc; where its versions differ, 2.16.1 with
the parser of 2.18 (deep nesting is read, bytes after the document are not).
"""

from serving.tensor_json.dtypes import InputInfo
from serving.tensor_json.examples import parse_classify
from serving.tensor_json.predict import (
  DEFAULT_SIGNATURE,
  ParsedPredict,
  parse_predict,
  to_inputs,
)
from serving.tensor_json.responses import (
  write_classify,
  write_error,
  write_predict,
  write_regress,
)

__all__ = [
  "DEFAULT_SIGNATURE",
  "InputInfo",
  "ParsedPredict",
  "parse_classify",
  "parse_predict",
  "to_inputs",
  "write_classify",
  "write_error",
  "write_predict",
  "write_regress",
]
