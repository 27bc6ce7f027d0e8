"""gRPC: messages and metadata beyond what is taken, with and without tokens."""

import grpc
import pytest

CALL = "/tensorflow.serving.PredictionService/Predict"
RIGHT = (("authorization", "Bearer right"),)


def _call(server, message, *, metadata=(), compression=None, method=CALL):
  options = [("grpc.max_send_message_length", -1), ("grpc.max_metadata_size", 1 << 24)]
  address = f"127.0.0.1:{server.port}"
  with grpc.insecure_channel(address, options=options, compression=compression) as channel:
    try:
      channel.unary_unary(method)(message, metadata=metadata, timeout=120)
    except grpc.RpcError as err:
      return err.code().name
  return "OK"


@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip])
def test_messages_that_are_too_large(usual, compression):
  with usual.watch():
    assert _call(usual, b"\0" * 300_000_000, compression=compression) == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize("metadata", [(), (("authorization", "Bearer wrong"),)])
def test_messages_without_a_token(guarded, metadata):
  """They are refused before they come: the network does not keep them."""
  message = b"\0" * 100_000_000  # as large as one may be
  with guarded.watch():
    for _ in range(3):
      assert _call(guarded, message, metadata=metadata) == "UNAUTHENTICATED"


def test_metadata_that_is_too_large(guarded):
  with guarded.watch():
    for metadata in ([("a", "b" * 1_000_000)], [(f"a{n}", "b" * 1000) for n in range(1000)]):
      assert _call(guarded, b"", metadata=(*RIGHT, *metadata)) == "RESOURCE_EXHAUSTED"


def test_of_two_tokens_none_counts(guarded):
  two = (("authorization", "Bearer wrong"), *RIGHT)
  assert _call(guarded, b"", metadata=two) == "UNAUTHENTICATED"
  assert _call(guarded, b"", metadata=RIGHT) == "INVALID_ARGUMENT"
