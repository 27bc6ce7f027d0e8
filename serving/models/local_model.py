"""`LocalModel`: loads one SavedModel into this process and asks it as the model server does.

For callers who want predictions and no server: `dlpipe predict`, `dlpipe batch`, the public API.
Loader, checks and the words of every refusal are the server's own, so that an answer in process is
the answer over the network. Nested lists, which only a caller in Python can send, become arrays of
the signature's type first.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from serving.errors import Internal, InvalidArgument, NotFound, ServingError
from serving.models import inference
from serving.models.loader import LoadOptions, SavedModelLoader
from serving.models.sessions import SessionOptions
from serving.models.signatures import MODEL_FILE, Signature, as_array, from_definitions
from serving.models.tensors import Array
from serving.models.version_source import find_versions

# The server has a thread for each request that may wait. Callers in this process are few, and more
# threads than CPUs make a batch cost more.
_SESSION = SessionOptions(inter_op_parallelism=os.cpu_count() or 1)
_LOADER = SavedModelLoader(LoadOptions(session=_SESSION, with_warmup=False))


class LocalModel:
  """One version in memory. Threads may ask it side by side.

  >>> picture = pathlib.Path("7.png").read_bytes()
  >>> with LocalModel.load("workspace/images/serving") as model:  # the newest version
  ...   answer = model.predict("serving_default", {"image": [picture]})
  >>> model.version, sorted(model.signatures)
  (3, ['serving_default'])
  >>> answer["label"], answer["score"]
  (array([b'7'], dtype=object), array([0.75], dtype=float32))

  Attributes:
    path: the folder of `saved_model.pb`.
    version: the number that the folder is called by; None if its name is no number.
    signatures: what can be asked, by name.
  """

  def __init__(self, path: str | os.PathLike[str]):
    """Loads the SavedModel of one folder; `load` finds the folder.

    Args:
      path: the folder of `saved_model.pb`.

    Raises:
      ServingError: it cannot be loaded, in the server's words.
    """
    self.path = pathlib.Path(path)
    self.version = _number(self.path)
    self._servable = _LOADER.load(self.path.name, self.version or 0, self.path)
    self.signatures: Mapping[str, Signature] = from_definitions(self._servable.signatures)

  @classmethod
  def load(cls, path: str | os.PathLike[str], version: int | None = None) -> LocalModel:
    """Loads a version of a base path, or the SavedModel of a folder.

    >>> LocalModel.load("workspace/images/serving").version  # the newest
    3
    >>> LocalModel.load("workspace/images/serving", version=1).version
    1
    >>> LocalModel.load("models/candidate").path.name  # a folder with a saved_model.pb
    'candidate'

    Args:
      path: a base path, whose children are called by their version's number, or the folder of a
        SavedModel.
      version: the number of a version below a base path; None takes the largest one that holds a
        SavedModel.

    Raises:
      NotFound: there is no such version, or none at all.
      InvalidArgument: `path` is a SavedModel itself, of another version than `version`.
      Internal: the version cannot be loaded; the message names it.
    """
    folder = find_model(path, version)
    try:
      return cls(folder)
    except ServingError as err:
      raise Internal(f"Version {folder.name} in {folder.parent} cannot be loaded: {err}") from err

  def predict(
    self,
    signature: str,
    inputs: Mapping[str, Array | Sequence[Any]],
    outputs: Sequence[str] = (),
  ) -> dict[str, Array]:
    """Runs a signature on a batch of rows.

    >>> model = LocalModel.load("workspace/images/serving")
    >>> model.predict("serving_default", {"image": [b"a file", b"another"]}, outputs=["label"])
    {'label': array([b'7', b'7'], dtype=object)}

    Args:
      signature: its name, one of `signatures`.
      inputs: input name to values, all rows at once. Arrays are taken as they are, strings as
        bytes in an array of `object`. Nested lists become arrays of the signature's type without a
        loss, such as whole numbers to floats and str to UTF-8.
      outputs: names of the outputs to compute; none means all.

    Returns:
      Output name to array; strings are bytes in an array of `object`.

    Raises:
      FailedPrecondition: the model has no such signature.
      InvalidArgument: a name, a value or an output does not fit, or the graph refuses the values.
      ServingError: the model failed; of the class of its gRPC status.
    """
    specs = self.signatures[signature].inputs if signature in self.signatures else {}
    try:
      return inference.predict(
        self._servable,
        {name: as_array(name, value, specs.get(name)) for name, value in inputs.items()},
        signature_name=signature,
        output_filter=outputs,
      )
    except inference.NoSignature as err:
      raise inference.NoSignature(
        f"{err} The model has: {', '.join(sorted(self.signatures))}."
      ) from None

  def close(self) -> None:
    """Frees the memory. No thread may be asking."""
    _LOADER.unload(self._servable)

  def __enter__(self) -> LocalModel:
    return self

  def __exit__(self, *exc_info: object) -> None:
    self.close()


def find_model(path: str | os.PathLike[str], version: int | None = None) -> pathlib.Path:
  """Returns the folder that `LocalModel.load` loads; reads no model.

  >>> find_model("workspace/images/serving")
  PosixPath('workspace/images/serving/3')

  Args:
    path: as for `LocalModel.load`.
    version: as for `LocalModel.load`.

  Raises:
    NotFound: there is no such version, or none at all.
    InvalidArgument: `path` is a SavedModel itself, of another version than `version`.
  """
  base = pathlib.Path(path)
  if (base / MODEL_FILE).is_file():
    if version not in (None, _number(base)):
      raise InvalidArgument(
        f"{base} is a SavedModel itself and not version {version}. Name the folder of its versions."
      )
    return base
  folders = list_models(base)
  if not folders:
    raise NotFound(f"No version of a model in {base}.")
  number = max(folders) if version is None else version
  if number not in folders:
    raise NotFound(
      f"No version {number} in {base}. Versions: {', '.join(map(str, sorted(folders)))}."
    )
  return folders[number]


def list_models(base_path: str | os.PathLike[str]) -> dict[int, pathlib.Path]:
  """Maps the number of every version below a base path that holds a SavedModel to its folder.

  A base path that is not there has none.
  """
  if not os.path.isdir(base_path):
    return {}
  found = find_versions(base_path)
  return {number: folder for number, folder in found.items() if (folder / MODEL_FILE).is_file()}


def _number(folder: pathlib.Path) -> int | None:
  name = folder.name or folder.resolve().name
  return int(name) if name.isascii() and name.isdigit() else None
