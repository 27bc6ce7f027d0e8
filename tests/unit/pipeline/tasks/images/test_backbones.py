"""Backbones by name, and SqueezeNet with the weights it was published with."""

import h5py
import keras
import numpy as np
import pytest

from dlpipe.errors import BadInputError
from pipeline.tasks.images import squeezenet
from pipeline.tasks.images.backbone_names import application_names
from pipeline.tasks.images.backbones import _applications, get_backbone

_WEIGHTS = (
  "pretrained/squeezenet_v1.1_imagenet_keras/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
)


@pytest.fixture
def weights(dataset):
  return dataset(_WEIGHTS)


def _squeezenet(weights=None, size=64):
  keras.utils.set_random_seed(1)
  return squeezenet.squeezenet(input_shape=(size, size, 3), weights=weights)


def _write(path, model, skip=(), **replace):
  """Writes weights as Keras' legacy files name them."""
  with h5py.File(path, "w") as file:
    for layer in model.layers:
      if layer.weights and layer.name not in skip:
        group = file.create_group("/".join(layer.name.split("_", 1)))
        for name, array in zip(("kernel:0", "bias:0"), layer.get_weights(), strict=True):
          group[name] = replace.get(layer.name, {}).get(name, array)
  return str(path)


def test_squeezenet_has_the_papers_parameters():
  model = _squeezenet()
  assert model.count_params() == 722_496
  assert _squeezenet(size=227).output_shape == (None, 13, 13, 512)


def test_squeezenet_loads_the_published_weights(weights):
  model = _squeezenet(weights)
  with h5py.File(weights) as file:
    arrays = {}
    file.visititems(lambda n, i: arrays.update({n: i[()]} if isinstance(i, h5py.Dataset) else {}))
  loaded = {array.tobytes() for layer in model.layers for array in layer.get_weights()}
  assert len(arrays) == 50
  assert {array.astype("float32").tobytes() for array in arrays.values()} == loaded


def test_the_published_weights_tell_pictures_apart(weights):
  """Random weights give nearly the same features for anything; trained ones do not."""
  random = np.random.default_rng(0)
  flat = np.full((1, 64, 64, 3), 127.0, "float32")
  noise = random.uniform(0, 255, (1, 64, 64, 3)).astype("float32")
  model = _squeezenet(weights)
  features = [
    model.predict(np.asarray(squeezenet.preprocess(p)), verbose=0).mean((0, 1, 2))
    for p in (flat, noise)
  ]
  one, other = (f / np.linalg.norm(f) for f in features)
  assert float(one @ other) < 0.8


def test_weights_are_found_by_layer(tmp_path):
  model = _squeezenet()
  path = _write(tmp_path / "w.h5", model)
  keras.utils.set_random_seed(2)
  loaded = squeezenet.squeezenet(input_shape=(48, 48, 3), weights=path)
  for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
  "kind", ["text", "absent", "folder", "layer missing", "shape", "one array"]
)
def test_a_wrong_file_is_bad_input(tmp_path, kind):
  path = tmp_path / "w.h5"
  model = _squeezenet()
  if kind == "text":
    path.write_text("no weights")
  elif kind == "folder":
    path.mkdir()
  elif kind == "layer missing":
    _write(path, model, skip=("fire5_expand3x3",))
  elif kind == "shape":
    _write(path, model, conv1={"kernel:0": np.zeros((3, 3, 3, 8))})
  elif kind == "one array":
    _write(path, model)
    with h5py.File(path, "a") as file:
      del file["conv1/bias:0"]
  with pytest.raises(BadInputError) as refused:
    _squeezenet(str(path))
  assert str(refused.value).startswith(
    f"model.weights must be a Keras .h5 file of SqueezeNet v1.1 without top. Received: '{path}'"
  )


def test_an_h5_file_of_another_kind_is_bad_input(tmp_path):
  with h5py.File(tmp_path / "data.h5", "w") as file:
    file["conv1"] = np.zeros(3)
  with pytest.raises(BadInputError, match="without top"):
    _squeezenet(str(tmp_path / "data.h5"))


def test_squeezenets_input_is_bgr_around_imagenets_mean():
  red = np.array([[[[255.0, 0.0, 10.0]]]], "float32")
  expected = [10 - 104.006, 0 - 116.669, 255 - 122.679]
  np.testing.assert_allclose(np.asarray(squeezenet.preprocess(red))[0, 0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["MobileNetV2", "mobilenetv2", "MOBILENETV2"])
def test_keras_applications_are_found_in_any_case(name):
  backbone = get_backbone(name)
  model = backbone.build((32, 32, 3), None)
  assert model.output_shape == (None, 1, 1, 1280)
  # MobileNetV2 takes [-1, 1].
  scaled = np.asarray(backbone.preprocess(np.array([[[[0.0, 127.5, 255.0]]]], "float32")))
  np.testing.assert_allclose(scaled[0, 0, 0], [-1, 0, 1])


@pytest.mark.parametrize("name", ["ResNet50", "EfficientNetV2B0", "VGG16", "ConvNeXtTiny"])
def test_each_family_has_its_own_preprocessing(name):
  module = get_backbone(name).preprocess.__module__
  families = {"ResNet50": "resnet", "EfficientNetV2B0": "efficientnet_v2", "VGG16": "vgg16"}
  assert module.endswith(families.get(name, "convnext"))


@pytest.mark.parametrize(
  ("name", "hint"),
  [
    ("squeezent", "Did you mean 'squeezenet'?"),
    ("mobilnetv2", "Did you mean 'mobilenetv2'?"),
    ("zzz", "Known: convnextbase,"),
  ],
)
def test_an_unknown_name_suggests_the_nearest(name, hint):
  with pytest.raises(BadInputError) as refused:
    get_backbone(name)
  assert str(refused.value).startswith(f"Unknown model.backbone={name!r}.")
  assert hint in str(refused.value)
  assert "squeezenet" in str(refused.value)


def test_a_file_that_does_not_fit_a_backbone_is_bad_input(tmp_path):
  (tmp_path / "w.h5").write_text("no weights")
  with pytest.raises(
    BadInputError, match="Cannot build model.backbone='VGG16' with model.weights="
  ):
    get_backbone("VGG16").build((32, 32, 3), str(tmp_path / "w.h5"))


def test_pictures_too_small_for_a_backbone_are_bad_input():
  with pytest.raises(BadInputError, match="for pictures of 8x8"):
    get_backbone("VGG16").build((8, 8, 3), None)


def test_the_names_that_are_known_without_keras_are_those_of_keras():
  assert application_names() == {name for _, name in _applications()}
  assert "mobilenetv2" in application_names()
