"""Bodies that are small on the wire, and large once they are read; all limits as they are."""

import concurrent.futures
import zlib

import pytest

PREDICT = "/v1/models/half_plus:predict"
CLASSIFY = "/v1/models/half_plus:classify"
SIZE = 99_000_000  # less than what TensorFlow Serving inflates
OPEN = b'{"instances":['


def bomb(unit, before=OPEN, after=b"1]}", size=SIZE):
  """A gzip body that inflates to `size` bytes of `unit`, with something around them."""
  deflater = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
  block = unit * (1 + (1 << 20) // len(unit))
  pieces = [deflater.compress(before)]
  pieces += [deflater.compress(block) for _ in range(size // len(block))]
  return b"".join([*pieces, deflater.compress(after), deflater.flush()])


BOMBS = {
  "strings": (b'"",', OPEN, b'""]}'),
  "objects": (b"{},", OPEN, b"{}]}"),
  "lists": (b"[],", OPEN, b"[]]}"),
  "numbers": (b"1,",),
  "fractions": (b"1.5,",),
  "literals": (b"true,",),
  "rows": (b"[1],", OPEN, b"[1]]}"),
  "ragged": (b"[1],", OPEN, b"[1,2]]}"),
  "base64": (b'{"b64":"eA=="},', OPEN, b"1]}"),
  "members": (b'"a":1,', OPEN + b"{", b'"a":1}]}'),
  "not finite": (b"NaN,",),
  "nested lists": (b"[",),
  "nested objects": (b'{"a":',),
  "digits": (b"9", OPEN + b"1", b"]}"),
  "digits behind the point": (b"1", OPEN + b"0.", b"]}"),
  "long string": (b"a", OPEN + b'"', b'"]}'),
  "escapes": (b"\\n", OPEN + b'"', b'"] x'),
  "open string": (b"a", OPEN + b'"', b""),
  "space": (b" ",),
  "zeros": (b"\0", b"", b""),
  "gigabyte": (b" ", OPEN, b"1]}", 1 << 30),
}


def _post(server, path, body, **headers):
  return server.http("POST", path, body, **headers)[0]


@pytest.mark.parametrize("name", BOMBS)
def test_gzip_bombs(usual, name):
  body = bomb(*BOMBS[name])
  with usual.watch():
    assert _post(usual, PREDICT, body, Content_Encoding="gzip") in (200, 400, 413)


_READ_BY_BOTH = [(PREDICT, name) for name in sorted(set(BOMBS) - {"gigabyte"})]
_READ_BY_BOTH += [(CLASSIFY, name) for name in ("members", "objects", "not finite", "escapes")]


@pytest.mark.parametrize(("path", "name"), _READ_BY_BOTH)
def test_the_largest_that_is_read(usual, name, path):
  """Smaller ones, until one is not refused for its size: that costs the most of its kind."""
  size = SIZE // 3
  while True:
    body = bomb(*BOMBS[name], size=size)
    with usual.watch():
      status = _post(usual, path, body, Content_Encoding="gzip")
    assert status in (200, 400, 413)
    if status != 413:
      return
    size //= 2


@pytest.mark.parametrize("name", ["strings", "objects", "numbers", "space", "long string"])
def test_many_gzip_bombs_at_once(usual, name):
  body = bomb(*BOMBS[name])
  with usual.watch(), concurrent.futures.ThreadPoolExecutor(8) as pool:
    asked = [pool.submit(_post, usual, PREDICT, body, Content_Encoding="gzip") for _ in range(8)]
    assert {each.result() for each in asked} <= {200, 400, 413}
