"""The catalog: every set complete; what is prepared is what the tasks read."""

import hashlib
import pathlib
import re

import pytest

from data import preparation
from data.catalog import DATA_SETS
from pipeline.tasks import get_task

_README = pathlib.Path(__file__).resolve().parents[3] / "data" / "README.md"
_DIGITS = {"sha256": 64, "sha1": 40}


def test_the_sets_people_use_are_there():
  assert list(DATA_SETS) == [
    "fashion_mnist",
    "cifar10",
    "imdb",
    "mr_polarity",
    "tatoeba_en_fr",
    "multi30k",
  ]


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_set_is_complete(name):
  known = DATA_SETS[name]
  assert known.name == name
  assert known.task in {"images", "sentiment", "translation"}
  assert known.licence
  assert known.source
  assert known.expects
  assert not pathlib.PurePosixPath(known.data_path).is_absolute()
  names = [file.name for file in known.files]
  assert len(set(names)) == len(names)
  for file in known.files:
    assert re.fullmatch(r"https?://[\w./~-]+", file.url)
    assert file.url.endswith(f"/{file.name}")
    digest = file.checksum.digest
    assert re.fullmatch(f"[0-9a-f]{{{_DIGITS[file.checksum.algorithm]}}}", digest)


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_set_stands_in_the_readme(name):
  text = _README.read_text(encoding="utf-8")
  terms, checksums = re.findall(rf"^\| `{name}` \|.*$", text, re.MULTILINE)
  assert f"| {DATA_SETS[name].licence} |" in terms
  algorithm = DATA_SETS[name].files[0].checksum.algorithm
  assert f"| {algorithm.upper().replace('SHA', 'SHA-')}" in checksums


def test_the_size_of_a_set_is_known_only_if_all_are():
  assert DATA_SETS["fashion_mnist"].size_bytes == 30_878_645
  assert DATA_SETS["multi30k"].size_bytes is None


def test_the_checksums_of_fashion_mnist_are_those_of_its_files(dataset):
  folder = pathlib.Path(dataset("fashion_mnist"))
  for file in DATA_SETS["fashion_mnist"].files:
    content = (folder / file.name).read_bytes()
    assert len(content) == file.size_bytes
    assert hashlib.sha256(content).hexdigest() == file.checksum.digest


def test_fashion_mnist_gets_names_for_its_labels(tmp_path):
  preparation.name_fashion_mnist(tmp_path)
  names = (tmp_path / "labels.txt").read_text().splitlines()
  assert len(names) == 10
  assert (names[0], names[9]) == ("T-shirt/top", "Ankle boot")


def test_cifar10_becomes_class_folders_that_the_images_task_reads(tmp_path):
  from PIL import Image

  source = tmp_path / "cifar-10-batches-bin"
  source.mkdir()
  (source / "batches.meta.txt").write_text("airplane\nautomobile\n\n")
  red = bytes([1]) + bytes([200]) * 1024 + bytes(2048)
  blue = bytes([0]) + bytes(2048) + bytes([0, 255] * 512)
  (source / "data_batch_1.bin").write_bytes(red + blue)
  (source / "data_batch_2.bin").write_bytes(red + blue)
  (source / "test_batch.bin").write_bytes(blue + red)
  preparation.draw_cifar10(tmp_path)
  found = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png"))
  assert found == [
    "test/airplane/00000.png",
    "test/automobile/00001.png",
    "train/airplane/00001.png",
    "train/airplane/00003.png",
    "train/automobile/00000.png",
    "train/automobile/00002.png",
  ]
  assert not source.exists()
  with Image.open(tmp_path / "train" / "airplane" / "00001.png") as picture:
    assert (picture.mode, picture.size) == ("RGB", (32, 32))
    assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0), (0, 0, 255)]
  with Image.open(tmp_path / "test" / "automobile" / "00001.png") as picture:
    assert picture.getpixel((31, 31)) == (200, 0, 0)
  task = get_task("images")
  plan = task.sources["folder"].plan(str(tmp_path), task.data_options.defaults())
  assert plan.given_splits == ("train", "eval")


def test_mr_polarity_becomes_utf_8(tmp_path):
  folder = tmp_path / "rt-polaritydata"
  folder.mkdir()
  (folder / "rt-polarity.pos").write_bytes(b"caf\xe9 \x97 good\n")
  (folder / "rt-polarity.neg").write_bytes(b"bad\n")
  preparation.recode_mr_polarity(tmp_path)
  assert (folder / "rt-polarity.pos").read_text(encoding="utf-8") == "caf\u00e9 \u2014 good\n"
  assert (folder / "rt-polarity.neg").read_bytes() == b"bad\n"


def test_multi30k_loses_its_empty_last_lines(tmp_path):
  (tmp_path / "train.en").write_bytes(b"one\n\nthree\n\n")
  (tmp_path / "train.de").write_bytes(b"eins\n\ndrei")
  preparation.trim_multi30k(tmp_path)
  assert (tmp_path / "train.en").read_bytes() == b"one\n\nthree\n"
  assert (tmp_path / "train.de").read_bytes() == b"eins\n\ndrei\n"
