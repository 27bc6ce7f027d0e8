"""Refuses malicious HDF5 weights files before they are read.

An HDF5 file can refer to other files, whose content a reader treats as its own (CVE-2026-1669,
CVE-2026-9335, CVE-2026-12480), and can declare datasets of any size (CVE-2026-0897). Keras before
3.15 accepts all of these.
"""

from __future__ import annotations

import os

import h5py

# Weights compress badly; a file that declares more is meant to exhaust the memory.
_MOST_BYTES_PER_BYTE = 100


def check_weights_file(path: str) -> None:
  """Checks a weights file without reading its datasets.

  Raises:
    OSError: the file is not HDF5.
    ValueError: it refers to other files, or declares far more data than it holds.
  """
  claimed = 0

  def fault_of(name: str, item: h5py.Group | h5py.Dataset) -> str | None:
    nonlocal claimed
    if not isinstance(item, h5py.Dataset):
      return None
    claimed += item.nbytes
    return _foreign_data(name, item)

  with h5py.File(path, "r") as file:
    # Returning the first fault ends the visit; HDF5 does not allow an exception within it.
    fault = file.visititems_links(_external_link) or file.visititems(fault_of)
  size = os.path.getsize(path)
  if not fault and claimed > _MOST_BYTES_PER_BYTE * size:
    fault = f"a file of {size} bytes claims to hold {claimed} bytes of weights"
  if fault:
    raise ValueError(fault)


def _external_link(
  name: str, link: h5py.HardLink | h5py.SoftLink | h5py.ExternalLink
) -> str | None:
  if isinstance(link, h5py.ExternalLink):
    return f"{name!r} is a link to another file, {link.filename!r}"
  return None


def _foreign_data(name: str, dataset: h5py.Dataset) -> str | None:
  sources = [source for source, *_ in dataset.external or ()]
  if dataset.is_virtual:
    # "." is the file itself, whose datasets are checked anyway.
    sources = [source.file_name for source in dataset.virtual_sources() if source.file_name != "."]
  return f"the data of {name!r} is in another file, {sources[0]!r}" if sources else None
