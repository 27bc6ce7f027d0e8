"""What the images task infers, refuses and reads before anything heavy is imported."""

import hashlib

import pytest

from dlpipe.errors import BadInputError
from pipeline.settings.reading import make_config
from pipeline.tasks.images.params import ImageParams
from pipeline.tasks.images.task import TASK


def _infer(path, **changes):
  """What is other than before it was inferred."""
  before = ImageParams(**changes)
  after = TASK.infer("folder", str(path), TASK.data_options.defaults(), before).as_json()
  return {n: v for n, v in after.items() if n == "image_size" or v != before.as_json().get(n)}


@pytest.fixture
def pictures(tmp_path, make_picture):
  """Returns a function that writes pictures of the sizes, one class each."""

  def write(*sizes):
    for number, (width, height) in enumerate(sizes):
      folder = tmp_path / "pictures" / f"c{number}"
      folder.mkdir(parents=True)
      for seed in (0, 1):
        picture = make_picture(width=width, height=height, seed=seed)
        (folder / f"{seed}.png").write_bytes(picture)
    return tmp_path / "pictures"

  return write


@pytest.mark.parametrize(
  ("sizes", "expected"),
  [
    ([(8, 8), (10, 12)], 16),
    ([(31, 40), (31, 31)], 31),
    ([(50, 70), (90, 50), (300, 50)], 48),
    ([(640, 480), (500, 333)], 96),
  ],
)
def test_the_cnns_picture_size_follows_the_shorter_sides(pictures, sizes, expected):
  assert _infer(pictures(*sizes))["image_size"] == expected


def test_a_backbone_takes_what_it_was_trained_on():
  assert _infer("unused", backbone="squeezenet") == {"image_size": 224}


@pytest.mark.parametrize("size", [8, 100, 1024])
def test_a_size_that_is_set_is_kept(size):
  assert _infer("unused", image_size=size)["image_size"] == size


@pytest.mark.parametrize("size", ["7", "1025", "0", "-1", "28.5", "'28'", "true"])
def test_a_size_that_cannot_work_is_bad_input(size):
  with pytest.raises(BadInputError, match="null or a whole number from 8 to 1,024. Received: "):
    make_config(TASK, data_path="x", workspace="w", settings=[f"model.image_size={size}"])


@pytest.mark.parametrize(
  ("size", "widths"), [(16, [64, 128]), (28, [64, 128, 256]), (96, [32, 64, 128, 256])]
)
def test_the_cnns_depth_follows_from_the_size(size, widths):
  assert _infer("unused", image_size=size)["widths"] == widths


def test_widths_that_are_set_are_kept():
  assert "widths" not in _infer("unused", image_size=96, widths=[3])


def test_the_cnn_has_one_name_however_it_is_written():
  assert _infer("unused", backbone="CNN", image_size=28)["backbone"] == "cnn"


def test_weights_are_identified_by_their_content(tmp_path, monkeypatch):
  (tmp_path / "w.h5").write_bytes(b"\x89HDF\r\n\x1a\nweights")
  monkeypatch.chdir(tmp_path)
  found = _infer("unused", backbone="squeezenet", weights="w.h5")
  assert found["weights"] == str(tmp_path / "w.h5")
  assert found["weights_sha256"] == hashlib.sha256(b"\x89HDF\r\n\x1a\nweights").hexdigest()


def test_imagenet_is_a_name_and_no_file():
  found = _infer("unused", backbone="MobileNetV2", weights="imagenet")
  assert found == {"image_size": 224}


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"weights": "imagenet", "image_size": 28}, "model.weights needs a model.backbone"),
    ({"weights": "absent.h5", "backbone": "VGG16"}, "Not found: '.*absent.h5'"),
    ({"weights": "imagenet", "backbone": "SqueezeNet"}, "not published by Keras"),
    ({"weights": __file__, "backbone": "VGG16"}, "does not begin as HDF5 does"),
    ({"backbone": "MobilNetV2"}, "Unknown model.backbone='MobilNetV2'. Did you mean 'mobilenetv2'"),
    ({"backbone": "resnet"}, "Unknown model.backbone='resnet'."),
  ],
)
def test_weights_that_cannot_work_are_bad_input(changes, message):
  with pytest.raises(BadInputError, match=message):
    _infer("unused", **changes)


def test_a_request_is_the_files_bytes(tmp_path):
  (tmp_path / "a.png").write_bytes(b"\x89PNG")
  assert TASK.input.value(str(tmp_path / "a.png")) == b"\x89PNG"
  with pytest.raises(BadInputError, match="Cannot read the picture 'absent.png': No such file"):
    TASK.input.value("absent.png")
  with pytest.raises(BadInputError, match="Is a directory"):
    TASK.input.value(str(tmp_path))


def test_the_sample_input_is_the_first_picture_of_the_shipped_data(tmp_path, monkeypatch):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  assert TASK.input.sample() == min(str(p) for p in tmp_path.rglob("*.png"))


def test_a_folder_for_samples_that_cannot_be_written_is_bad_input(tmp_path, monkeypatch):
  (tmp_path / "file").touch()
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
  with pytest.raises(BadInputError, match="Set XDG_CACHE_HOME"):
    TASK.shipped_data()
