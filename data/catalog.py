"""The public data sets that `dlpipe data fetch` knows, with their URLs and checksums.

Every checksum was published by a third party; README.md names each source. A data set is fetched
only if a user asks for it by name. Imports only the standard library.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable

from data import preparation
from data.download import Checksum


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoteFile:
  """One file of a data set.

  Attributes:
    name: its name here and on a mirror.
    url: where it is published.
    checksum: the expected checksum of the file.
    size_bytes: its published size; None if only the checksum is published.
    keep: patterns of the paths to unpack, if the file is an archive.
  """

  name: str
  url: str
  checksum: Checksum
  size_bytes: int | None
  keep: tuple[str, ...] = ("*",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSet:
  """A public data set, as a task reads it after `fetch`.

  Attributes:
    name: the argument of `fetch`, and the name of the folder.
    task: the task that it fits.
    title: a description of one line.
    licence: the licence, or a statement of the authors if they give no licence.
    source: the authors and the paper or page to cite.
    files: the files to download.
    room_bytes: approximate disk space that a fetch needs at most.
    data_path: the value for `--data`, relative to the folder.
    prepare: converts the unpacked files to a layout that the task reads; None if they have one.
    expects: paths that must exist after a complete fetch.
  """

  name: str
  task: str
  title: str
  licence: str
  source: str
  files: tuple[RemoteFile, ...]
  room_bytes: int
  data_path: str = "."
  prepare: Callable[[pathlib.Path], None] | None = None
  expects: tuple[str, ...]

  @property
  def size_bytes(self) -> int | None:
    """The size of the download in bytes; None if a file's size is not published."""
    sizes = [file.size_bytes for file in self.files]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _sha256(digest: str) -> Checksum:
  return Checksum(algorithm="sha256", digest=digest)


def _fashion_mnist(name: str, size_bytes: int, digest: str) -> RemoteFile:
  host = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
  return RemoteFile(
    name=name, url=f"{host}/{name}", checksum=_sha256(digest), size_bytes=size_bytes
  )


def _multi30k(name: str, digest: str) -> RemoteFile:
  # The original server of the shared task, in Sheffield, is offline; torchtext uses this copy.
  host = "https://raw.githubusercontent.com/neychev/small_DL_repo/master/datasets/Multi30k"
  return RemoteFile(
    name=name,
    url=f"{host}/{name}",
    checksum=_sha256(digest),
    size_bytes=None,
    keep=("*.en", "*.de"),
  )


_ALL = (
  DataSet(
    name="fashion_mnist",
    task="images",
    title="70,000 grey pictures of clothes, 28 x 28 pixels, 10 classes",
    licence="MIT",
    source="Xiao, Rasul, Vollgraf (2017), github.com/zalandoresearch/fashion-mnist",
    files=(
      _fashion_mnist(
        "train-images-idx3-ubyte.gz",
        26421880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
      ),
      _fashion_mnist(
        "train-labels-idx1-ubyte.gz",
        29515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
      ),
      _fashion_mnist(
        "t10k-images-idx3-ubyte.gz",
        4422102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
      ),
      _fashion_mnist(
        "t10k-labels-idx1-ubyte.gz",
        5148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
      ),
    ),
    room_bytes=65_000_000,
    prepare=preparation.name_fashion_mnist,
    expects=("train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", "labels.txt"),
  ),
  DataSet(
    name="cifar10",
    task="images",
    title="60,000 colour pictures, 32 x 32 pixels, 10 classes",
    licence="none stated; its author asks to be cited",
    source="Krizhevsky (2009), www.cs.toronto.edu/~kriz/cifar.html",
    files=(
      RemoteFile(
        name="cifar-10-binary.tar.gz",
        url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        checksum=_sha256("c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
        size_bytes=170052171,
        keep=("cifar-10-batches-bin/*.bin", "cifar-10-batches-bin/batches.meta.txt"),
      ),
    ),
    room_bytes=650_000_000,
    prepare=preparation.draw_cifar10,
    expects=("train/airplane", "train/truck", "test/truck"),
  ),
  DataSet(
    name="imdb",
    task="sentiment",
    title="50,000 film reviews, half of them to train on, positive or negative",
    licence="none stated; its authors ask to be cited",
    source="Maas et al. (2011), ai.stanford.edu/~amaas/data/sentiment",
    files=(
      RemoteFile(
        name="aclImdb_v1.tar.gz",
        url="https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
        checksum=_sha256("c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"),
        size_bytes=84125825,
        # The 50,000 reviews without a label would be read as a third class.
        keep=("aclImdb/README", "aclImdb/t*/pos/*.txt", "aclImdb/t*/neg/*.txt"),
      ),
    ),
    room_bytes=350_000_000,
    data_path="aclImdb",
    expects=("aclImdb/train/pos", "aclImdb/train/neg", "aclImdb/test/pos", "aclImdb/test/neg"),
  ),
  DataSet(
    name="mr_polarity",
    task="sentiment",
    title="10,662 sentences of film reviews, half of them positive",
    licence="none stated; its authors ask to be cited",
    source="Pang and Lee (2005), www.cs.cornell.edu/people/pabo/movie-review-data",
    files=(
      RemoteFile(
        name="rt-polaritydata.tar.gz",
        url="https://storage.googleapis.com/seldon-datasets/sentence_polarity_v1/"
        "rt-polaritydata.tar.gz",
        checksum=_sha256("a05befe52aafda71d458d188a1c54506a998b1308613ba76bbda2e5029409ce9"),
        size_bytes=487770,
      ),
    ),
    room_bytes=4_000_000,
    data_path="rt-polaritydata",
    prepare=preparation.recode_mr_polarity,
    expects=("rt-polaritydata/rt-polarity.pos", "rt-polaritydata/rt-polarity.neg"),
  ),
  DataSet(
    name="tatoeba_en_fr",
    task="translation",
    title="English sentences with French translations",
    licence="CC BY 2.0",
    source="tatoeba.org, www.manythings.org/anki",
    files=(
      RemoteFile(
        name="fra-eng.zip",
        # manythings.org replaces its file every few months; this copy keeps its checksum.
        url="http://d2l-data.s3-accelerate.amazonaws.com/fra-eng.zip",
        checksum=Checksum(algorithm="sha1", digest="94646ad1522d915e7b0f9296181140edcf86a4f5"),
        size_bytes=None,
      ),
    ),
    room_bytes=60_000_000,
    data_path="fra-eng/fra.txt",
    expects=("fra-eng/fra.txt",),
  ),
  DataSet(
    name="multi30k",
    task="translation",
    title="31,014 descriptions of photographs, English and German",
    licence="none stated; its authors ask to be cited",
    source="Elliott et al. (2016), www.statmt.org/wmt16/multimodal-task.html",
    files=(
      _multi30k(
        "training.tar.gz", "20140d013d05dd9a72dfde46478663ba05737ce983f478f960c1123c6671be5e"
      ),
      _multi30k(
        "validation.tar.gz", "a7aa20e9ebd5ba5adce7909498b94410996040857154dab029851af3a866da8c"
      ),
      _multi30k(
        "mmt16_task1_test.tar.gz",
        "6d1ca1dba99e2c5dd54cae1226ff11c2551e6ce63527ebb072a1f70f72a5cd36",
      ),
    ),
    room_bytes=15_000_000,
    prepare=preparation.trim_multi30k,
    expects=tuple(f"{split}.{side}" for split in ("train", "val", "test") for side in ("en", "de")),
  ),
)

DATA_SETS = {data_set.name: data_set for data_set in _ALL}
