"""Weights files that lead elsewhere or claim too much are refused, whatever the backbone."""

import h5py
import keras
import numpy as np
import pytest

from dlpipe.errors import BadInputError
from pipeline.tasks.images.backbones import get_backbone

_SHAPE = (32, 32, 3)


def _link(file, dataset, secret):
  del file[dataset]
  file[dataset] = h5py.ExternalLink(str(secret), "data")


def _linked_group(file, dataset, secret):
  group = dataset.partition("/")[0]
  del file[group]
  file[group] = h5py.ExternalLink(str(secret), "/")


def _external_storage(file, dataset, secret):
  shape = file[dataset].shape
  del file[dataset]
  raw = [(str(secret), 0, int(np.prod(shape)) * 4)]
  file.create_dataset(dataset, shape, "float32", external=raw)


def _virtual(file, dataset, secret):
  shape = file[dataset].shape
  del file[dataset]
  layout = h5py.VirtualLayout(shape, "float32")
  layout[...] = h5py.VirtualSource(str(secret), "data", shape)
  file.create_virtual_dataset(dataset, layout)


def _claim(file, dataset, secret):
  file.create_dataset("more", (1 << 40,), "float32", chunks=(1 << 10,))


_SPOILT = {
  _link: "is a link to another file, '{}'",
  _linked_group: "is a link to another file, '{}'",
  _external_storage: "is in another file, '{}'",
  _virtual: "is in another file, '{}'",
  _claim: "claims to hold 43980",
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
  """Returns a function that writes a backbone's weights; the path, and one of its datasets."""
  folder = tmp_path_factory.mktemp("weights")

  def write(name):
    path = folder / f"{name}.weights.h5"
    if not path.exists():
      get_backbone(name).build(_SHAPE, None).save_weights(path)
    with h5py.File(path) as file:
      found = []
      file.visititems(lambda n, item: found.append(n) if isinstance(item, h5py.Dataset) else None)
    return path, found[0]

  return write


@pytest.fixture
def secret(tmp_path):
  """An HDF5 file that is none of the weights' business."""
  path = tmp_path / "secret.h5"
  with h5py.File(path, "w") as file:
    file["data"] = np.full(1 << 16, 7.0, "float32")
  return path


@pytest.mark.parametrize("name", ["squeezenet", "MobileNetV2"])
@pytest.mark.parametrize("spoil", _SPOILT)
def test_a_file_that_is_more_than_its_weights_is_refused(name, spoil, weights, secret, tmp_path):
  path, dataset = weights(name)
  spoilt = tmp_path / "spoilt.weights.h5"
  spoilt.write_bytes(path.read_bytes())
  with h5py.File(spoilt, "a") as file:
    spoil(file, dataset, secret)
  with pytest.raises(BadInputError) as refused:
    get_backbone(name).build(_SHAPE, str(spoilt))
  assert _SPOILT[spoil].format(secret) in str(refused.value)
  assert str(spoilt) in str(refused.value)


def test_sound_weights_are_read(weights):
  path, _ = weights("MobileNetV2")
  model = get_backbone("MobileNetV2").build(_SHAPE, str(path))
  expected = keras.applications.MobileNetV2(include_top=False, input_shape=_SHAPE, weights=None)
  expected.load_weights(path)
  for got, wanted in zip(model.get_weights(), expected.get_weights(), strict=True):
    np.testing.assert_array_equal(got, wanted)


def test_links_within_a_file_are_no_fault(weights, tmp_path):
  path, dataset = weights("MobileNetV2")
  linked = tmp_path / "linked.weights.h5"
  linked.write_bytes(path.read_bytes())
  with h5py.File(linked, "a") as file:
    file["again"] = h5py.SoftLink(f"/{dataset}")
    file["root"] = file["/"]
  get_backbone("MobileNetV2").build(_SHAPE, str(linked))
