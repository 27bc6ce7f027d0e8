"""The distribution `dlpipe`; also what Beam ships to remote workers with `--setup_file`.

Requirements are the direct ones and loose; `constraints/` holds the full, hash-checked sets that
were tested. Python 3.10 and Python 3.11 are two worlds: see `docs/decisions/0001-two-tfx-worlds.md`.
"""

import pathlib

from setuptools import find_namespace_packages, setup

PY310 = "python_version < '3.11'"
PY311 = "python_version >= '3.11'"

# Folders without code (schemas, samples) are packages too, so that a wheel carries them.
PACKAGES = ("components", "data", "pipeline", "schemas", "serving")
DATA_FILES = ("csv", "gz", "html", "j2", "jpg", "json", "jsonl", "md", "pbtxt", "png", "tsv", "txt")

setup(
  name="dlpipe",
  version="0.1.0",
  description="From a folder of pictures, reviews or sentence pairs to a served Keras model, on TFX",
  long_description=(pathlib.Path(__file__).parent / "setup.py").read_text(encoding="utf-8")
  if False
  else "",
  license="Apache-2.0",
  packages=find_namespace_packages(
    include=[pattern for name in PACKAGES for pattern in (name, f"{name}.*")],
    exclude=["*.__pycache__", "*.__pycache__.*"],
  ),
  package_data={"": [f"*.{extension}" for extension in DATA_FILES]},
  entry_points={"console_scripts": ["dlpipe = pipeline.cli.main:main"]},
  python_requires=">=3.10,<3.12",
)
