"""What real servers give back is what was stored."""

from __future__ import annotations

import pytest
from ml_metadata.proto import metadata_store_pb2

from pipeline.runs.store.metadata_stores import open_store, read_connection

_TEXT = """a \\ and {"json": "{\\"in\\": \\"json\\"}"}, 'quoted' `and` é?"""


@pytest.mark.parametrize("server", ["postgresql", "mariadb"])
def test_text_survives_whatever_it_holds(request, server):
  database = request.getfixturevalue(server)("texts")
  with open_store(read_connection(str(database))) as handle:
    kind = handle.store.put_artifact_type(metadata_store_pb2.ArtifactType(name="Text"))
    stored = metadata_store_pb2.Artifact(type_id=kind, uri="C:\\data")
    stored.custom_properties["text"].string_value = _TEXT
    [number] = handle.store.put_artifacts([stored])
    [found] = handle.store.get_artifacts_by_id([number])
    [again] = handle.store.get_artifacts_by_uri("C:\\data")
  assert found.custom_properties["text"].string_value == _TEXT
  assert (found.uri, again.id) == ("C:\\data", number)
