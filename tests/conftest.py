"""Fixtures that more than one test package uses: real data sets, and pictures made on the spot."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import io
import os
import pathlib
import socket

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[1]


def pytest_configure():
  """Collects garbage as seldom as the command line does."""
  gc.set_threshold(20_000, 10, 10)


def pytest_collection_finish():
  """Looks at no imported module and at no test again for garbage: a million objects."""
  gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
  """Returns how many workers `-n logical` takes: one more than there are processors.

  A fifth of a worker's time it waits for servers and commands that its tests start.
  """
  return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session", autouse=True)
def _not_forked():
  """Refuses to fork this process: threads of gRPC and TensorFlow hold locks that a fork would keep.

  A test starts an interpreter with `subprocess` instead.
  """

  def refuse():
    raise AssertionError("The process of the tests has threads, and forks of it crash at times.")

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(os, "fork", refuse)
    yield


@pytest.fixture(scope="session")
def dataset():
  """Returns a function from a public data set's name to its path; skips where it is absent."""
  home = pathlib.Path(os.environ.get("DLPIPE_DATASETS") or _ROOT.parent / "shared" / "datasets")

  def find(name: str) -> str:
    path = home / name
    if not path.exists():
      pytest.skip(f"the data set {name} is not at {home}; set DLPIPE_DATASETS")
    return str(path)

  return find


@pytest.fixture(scope="session")
def free_ports():
  """Returns a function from a count to loopback ports that are free, and kept so for a server.

  A port is held by a socket that does not listen: the system gives it to nobody who takes just any
  (thousands of a test's own connections may), and a server that asks for it by number gets it.
  """
  with contextlib.ExitStack() as stack:

    def find(count: int) -> list[int]:
      sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
      for one in sockets:
        one.bind(("127.0.0.1", 0))
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
      return [one.getsockname()[1] for one in sockets]

    yield find


@pytest.fixture(scope="session")
def make_picture():
  """Returns a function that encodes a picture whose pixels depend on `seed`."""
  import numpy as np
  from PIL import Image

  def make(
    kind: str = "PNG",
    *,
    width: int = 12,
    height: int = 10,
    mode: str = "RGB",
    seed: int = 0,
    **save,
  ) -> bytes:
    channels = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4, "I;16": 1, "LA": 2}[mode]
    random = np.random.default_rng(seed)
    if mode == "I;16":
      pixels = random.integers(0, 65536, (height, width), dtype=np.uint16)
    else:
      pixels = random.integers(0, 256, (height, width, channels), dtype=np.uint8)
    picture = Image.frombytes(mode, (width, height), pixels.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, kind, **save)
    return buffer.getvalue()

  return make


@pytest.fixture(scope="session")
def with_signatures():
  """Returns a function that gives a TFLite model a map of signatures, as TensorFlow Serving reads.

  Values are `SignatureDef`s, or bytes. Written by TFLite's `SetSignatureDefMap` in C++, which
  Python does not have.
  """
  import flatbuffers
  from flatbuffers import flexbuffers
  from tensorflow.lite.python import schema_py_generated as schema

  def add(model: bytes, signatures) -> bytes:
    messages = flexbuffers.Builder()
    with messages.Map():
      for name, signature in signatures.items():
        data = signature if isinstance(signature, bytes) else signature.SerializeToString()
        messages.Key(name)
        # `String` takes text alone.
        messages._WriteBlob(data, append_zero=True, type_=flexbuffers.Type.STRING)
    changed = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    metadata, buffer = schema.MetadataT(), schema.BufferT()
    metadata.name, metadata.buffer = b"signature_defs_metadata", len(changed.buffers)
    buffer.data = list(bytes(messages.Finish()))
    changed.buffers.append(buffer)
    changed.metadata = [*(changed.metadata or ()), metadata]
    builder = flatbuffers.Builder(1024)
    builder.Finish(changed.Pack(builder), b"TFL3")
    return bytes(builder.Output())

  return add


@pytest.fixture
def bucket(tmp_path, monkeypatch):
  """The folder of a bucket `b`, which every address of a store is read from and written to."""
  from pyarrow import fs

  from dlpipe.remote import stores

  root = tmp_path / "store"
  (root / "b").mkdir(parents=True)
  files = fs.SubTreeFileSystem(str(root), fs.LocalFileSystem())
  monkeypatch.setattr(stores, "_filesystem", lambda address: files)
  return root / "b"


@pytest.fixture
def class_folders(tmp_path, make_picture):
  """Returns a function that writes `count` PNGs for each class folder and returns their root."""

  def write(*folders: str, count: int = 3, root: str = "pictures") -> pathlib.Path:
    for number, folder in enumerate(folders):
      target = tmp_path / root / folder
      target.mkdir(parents=True)
      for i in range(count):
        (target / f"{i}.png").write_bytes(make_picture(seed=1000 * number + i))
    return tmp_path / root

  return write


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
  """Escapes what is no Unicode in captured output: reports go from process to process as UTF-8."""
  outcome = yield
  report = outcome.get_result()
  report.sections = [
    (name, text.encode("utf-8", "backslashreplace").decode("utf-8"))
    for name, text in report.sections
  ]


@pytest.fixture(scope="session")
def chromium():
  """The module that drives a headless Chromium."""
  path = pathlib.Path(__file__).with_name("chromium.py")
  spec = importlib.util.spec_from_file_location("chromium", path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


@pytest.fixture(scope="session")
def browser(chromium, tmp_path_factory):
  """A running Chromium; skips where there is none."""
  binary = chromium.find()
  if binary is None:
    names = ", ".join(chromium.NAMES)
    pytest.skip(f"no Chromium on PATH ({names}); see scripts/install-test-servers.sh")
  running = chromium.Browser(binary, tmp_path_factory.mktemp("chromium"))
  yield running
  running.close()


@pytest.fixture
def tab(chromium, browser):
  """Returns a function that opens a page; its options are those of `chromium.Tab`."""
  opened = []

  def make(url, **options):
    opened.append(chromium.Tab(browser, **options))
    opened[-1].open(url)
    return opened[-1]

  yield make
  for one in opened:
    one.close()
