"""Status and metadata as JSON. Source: tensorflow_serving/model_servers/http_rest_api_util.cc."""

from __future__ import annotations

import inspect
import json
from typing import Any

from google.protobuf import json_format
from tensorflow_serving.apis import model_pb2

from serving.models.proto_calls import fill_spec, signature_map
from serving.models.servable import Servable

# protobuf 5 renamed the option.
_WITH_DEFAULTS = (
  "always_print_fields_with_no_presence"
  if "always_print_fields_with_no_presence"
  in inspect.signature(json_format.MessageToDict).parameters
  else "including_default_value_fields"
)


def status_body(response: Any) -> bytes:
  """Returns a GetModelStatusResponse as the answer to a GET of a model."""
  return _dump(_to_dict(response))


def metadata_body(servable: Servable) -> bytes:
  """Returns the signatures of a version as the answer to a GET of its metadata."""
  spec = model_pb2.ModelSpec()
  fill_spec(spec, servable)
  signatures = signature_map(servable)
  return _dump({"model_spec": _to_dict(spec), "metadata": {"signature_def": _to_dict(signatures)}})


def _to_dict(message: Any) -> Any:
  options: dict[str, bool] = {_WITH_DEFAULTS: True}
  return json_format.MessageToDict(message, preserving_proto_field_name=True, **options)


def _dump(value: Any) -> bytes:
  return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
