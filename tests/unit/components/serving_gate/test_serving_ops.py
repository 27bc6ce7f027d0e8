"""What each release of TensorFlow Serving can run, and what is said where it cannot."""

import pytest
import tensorflow as tf

from components.serving_gate.serving_ops import (
  ServingRelease,
  UsedOp,
  default_release,
  ops_of,
  refusals,
  refused_by_all,
  release_of_tag,
)

_OLD, _NEW = ServingRelease(version="2.16"), ServingRelease(version="2.20")


def _reasons(release, *names, attributes=(), by_xla=False):
  used = [UsedOp(name=n, attributes=frozenset(attributes), by_xla=by_xla) for n in names]
  return refusals(used, release)


@pytest.mark.parametrize("release", [_OLD, _NEW])
def test_ops_of_tensorflow_and_of_what_the_binary_links_are_there(release):
  core = ("MatMul", "NoOp", "StatefulPartitionedCall", "While", "XlaCallModule", "_Send")
  text = ("SentencepieceTokenizeOp", "NormalizeUTF8", "TFText>WhitespaceTokenizeWithOffsetsV2")
  forests = ("SimpleMLInferenceOpWithHandle", "SimpleMLLoadModelFromPathWithHandle")
  assert _reasons(release, *core, *text, *forests) == []


def test_an_op_of_a_newer_release_is_refused_with_the_way_out():
  assert _reasons(_NEW, "DecodeWebP", "TFText>RoundRobinTrim") == []
  [reason] = _reasons(_OLD, "TFText>RoundRobinTrim", "DecodeWebP")
  assert reason == (
    "TensorFlow Serving 2.16 cannot run DecodeWebP, TFText>RoundRobinTrim; 2.20 can. Serve with "
    "that, and say so with push.serving_release, or build the model without it."
  )


def test_an_op_of_no_release_is_refused():
  # Of TensorFlow 2.21, and of a library that the binary does not link.
  [reason] = _reasons(_NEW, "DecodeJxl", "Addons>Adjust")
  assert reason.startswith("TensorFlow Serving 2.20 has no op Addons>Adjust, DecodeJxl. It has ")


def test_a_python_function_is_refused():
  [reason] = _reasons(_NEW, "PyFunc")
  assert reason.startswith("PyFunc calls back into the Python process")


def test_a_file_that_is_read_to_answer_is_refused():
  [reason] = _reasons(_NEW, "ReadFile")
  assert reason.startswith("ReadFile reads a file of this machine whenever the model answers")
  # A table of a vocabulary is made once, of an asset.
  assert _reasons(_NEW, "InitializeTableFromTextFileV2", "TFRecordDatasetV2") == []


def test_what_some_release_can_run_is_not_refused_by_all():
  some = [UsedOp(name=name) for name in ("DecodeWebP", "CudnnRNNV3", "SobolSample", "MatMul")]
  assert refused_by_all(some) == []
  [reason] = refused_by_all([*some, UsedOp(name="EagerPyFunc")])
  assert reason.startswith("EagerPyFunc calls back")


def test_the_ops_of_a_graph_are_those_of_its_functions_as_well():
  @tf.function
  def inner(value):
    return tf.sqrt(value)

  @tf.function(jit_compile=True)
  def compiled(value):
    return tf.square(value)

  graph = tf.function(lambda value: inner(value) + compiled(value)).get_concrete_function(1.0).graph
  found = {op.name: op.by_xla for op in ops_of(graph.as_graph_def())}
  assert (found["AddV2"], found["Sqrt"], found["Square"]) == (False, False, True)


def test_an_attribute_that_the_release_does_not_know_is_refused():
  assert _reasons(_NEW, "MapDataset", attributes=["f", "force_synchronous"]) == []
  [reason] = _reasons(_OLD, "MapDataset", attributes=["f", "force_synchronous"])
  assert reason.startswith("TensorFlow Serving 2.16 does not know force_synchronous of the op Map")


def test_a_kernel_for_gpus_alone_will_do_where_there_are_some_or_xla_compiles():
  [reason] = _reasons(_OLD, "CudnnRNNV3", "FFTND")
  assert reason.startswith("TensorFlow Serving 2.16 has no kernel for CudnnRNNV3, FFTND without a")
  assert _reasons(_OLD, "FFTND", by_xla=True) == []
  assert _reasons(ServingRelease(version="2.16", with_gpu=True), "CudnnRNNV3", "FFTND") == []


def test_every_public_op_of_this_tensorflow_with_a_kernel_here_is_in_the_list_of_its_release():
  from tensorflow.python.framework import kernels

  release = default_release(tf.__version__)
  if not tf.__version__.startswith(f"{release.version}."):
    pytest.skip(f"there is no TensorFlow Serving of TensorFlow {tf.__version__} yet")
  names = [name for name in dir(tf.raw_ops) if _has_cpu_kernel(kernels, name)]
  assert len(names) > 1000
  refused = {name for name in names if _reasons(release, name)}
  # Their kernels are in Python's module; that of SobolSample has been in the library since 2.19.
  python = {"EagerPyFunc", "PyFunc", "PyFuncStateless"}
  files = {"MatchingFiles", "ReadFile", "WholeFileReader", "WholeFileReaderV2"}
  assert refused - {"SobolSample"} <= python | files
  assert refused >= python | {"ReadFile", "WholeFileReaderV2"}


def _has_cpu_kernel(kernels, name):
  registered = kernels.get_registered_kernels_for_op(name).kernel
  return any(kernel.device_type in ("CPU", "DEFAULT") for kernel in registered)


@pytest.mark.parametrize(
  ("tensorflow", "version"),
  [
    ("2.16.2", "2.16"),
    ("2.19.0-rc1", "2.19"),
    ("2.21.0", "2.20"),
    ("3.0.0", "2.20"),
    ("2.9.1", "2.16"),
  ],
)
def test_the_default_is_the_newest_that_is_no_newer(tensorflow, version):
  assert default_release(tensorflow) == ServingRelease(version=version)


def test_a_release_is_named_by_its_image_tag():
  assert release_of_tag("2.17.1") == ServingRelease(version="2.17")
  assert release_of_tag("2.20.0-gpu") == ServingRelease(version="2.20", with_gpu=True)


@pytest.mark.parametrize("tag", ["latest", "2.2", "2.16", "2.15.1", "2.21.0", "2.16.1-devel", ""])
def test_another_tag_is_none(tag):
  with pytest.raises(ValueError, match=r"such as 2\.16\.1.* 2\.16, 2\.17, 2\.18, 2\.19, 2\.20"):
    release_of_tag(tag)
