"""`ReviewedSchema`: puts the hand-owned schema into the pipeline.

TFX's ImportSchemaGen is cached by the file's path, so an edited schema would come back CACHED.
Here the schema's text is the parameter, which also spares other machines the file.
"""

# No `from __future__ import annotations` here: `@component` reads real annotations.
import os

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts

from dlpipe.errors import BadInputError

SCHEMA_FILE = "schema.pbtxt"  # the name SchemaGen gives it


@component
def ReviewedSchema(  # noqa: N802 - TFX takes the component's class name from the function
  text: Parameter[str],
  schema: OutputArtifact[standard_artifacts.Schema],
):
  """Writes the schema as SchemaGen would.

  Args:
    text: a `tensorflow.metadata.v0.Schema` in protobuf's text format.
    schema: receives `schema.pbtxt`.

  Raises:
    BadInputError: the text is not a schema.
  """
  try:
    parsed = text_format.Parse(text, schema_pb2.Schema())
  except text_format.ParseError as err:
    raise BadInputError(f"The reviewed schema is not a schema: {err}") from err
  with fileio.open(os.path.join(schema.uri, SCHEMA_FILE), "w") as f:
    f.write(text_format.MessageToString(parsed))
