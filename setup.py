"""The distribution `dlpipe`; also what Beam ships to remote workers with `--setup_file`.

Requirements are the direct ones, and loose; `constraints/` holds the complete, hash-checked sets
that were tested. Python 3.10 and 3.11 are two worlds: `docs/decisions/0001-two-tfx-worlds.md`.
"""

import pathlib
import runpy

from setuptools import Command, find_namespace_packages, setup

ROOT = pathlib.Path(__file__).resolve().parent
CLIENT = "serving/client/dlpipe_client"
OWN_NAMES = "dlpipe/own_names.py"
OLD = "; python_version < '3.11'"
NEW = "; python_version >= '3.11'"

# Folders without code (schemas, samples) count as packages, so that a wheel carries their files.
PACKAGES = ("components", "data", "dlpipe", "pipeline", "schemas", "serving")
WEB = ("css", "html", "js")
DATA = ("csv", "gz", "jpg", "json", "jsonl", "pbtxt", "png", "tsv", "txt", "yaml")
FILES = (*WEB, *DATA, "j2", "md", "pyi", "typed")


class InstallOwnNames(Command):
  """Has every interpreter of the environment find our packages first: `dlpipe/own_names.py`.

  Stands in for `install_headers`, which wheels and editable installs both run.
  """

  user_options = []

  def initialize_options(self):
    self.written = []

  def finalize_options(self):
    pass

  def get_inputs(self):
    return [str(ROOT / OWN_NAMES)]

  def get_outputs(self):
    return self.written

  def run(self):
    """Writes a copy of that module, and a `.pth` file that calls it, beside the packages."""
    folder = pathlib.Path(self.get_finalized_command("install").install_lib)
    self.mkpath(str(folder))
    is_editable = self.get_finalized_command("build_py").editable_mode
    write = runpy.run_path(str(ROOT / OWN_NAMES))["write_start"]
    self.written = write(str(folder), str(ROOT) if is_editable else None)


setup(
  name="dlpipe",
  version=runpy.run_path(str(ROOT / CLIENT / "version.py"))["VERSION"],
  description="From pictures, reviews or sentence pairs to a served Keras model, through TFX",
  license="Apache-2.0",
  python_requires=">=3.10,<3.14",
  packages=[
    *find_namespace_packages(
      include=[pattern for name in PACKAGES for pattern in (name, f"{name}.*")],
      exclude=["*.__pycache__", "serving.client", "serving.client.*"],
    ),
    "dlpipe_client",
  ],
  package_dir={"dlpipe_client": CLIENT},
  package_data={"": [f"*.{extension}" for extension in FILES]},
  headers=[OWN_NAMES],  # without one, the command is not called
  cmdclass={"install_headers": InstallOwnNames},
  entry_points={"console_scripts": ["dlpipe = pipeline.cli.main:main"]},
  install_requires=[
    "tfx==1.16.*" + OLD,
    "tfx==1.21.*" + NEW,
    "absl-py",
    "apache-beam",
    "click>=8.1",
    "flatbuffers>=23.5.26",
    "grpcio",
    "httptools>=0.6",
    "jinja2>=3",
    "keras>=3.6,<4",
    "keras-tuner>=1.4",
    "ml-metadata",
    "numpy",
    "packaging>=22",
    "pillow>=10.1",
    "protobuf",
    "psutil",
    "pyarrow",
    # pyarrow before 14.0.1, which TFX 1.16 needs, runs code that lies in a Parquet file.
    "pyarrow-hotfix>=0.7",
    "pydantic>=2",
    "pysimdjson>=6",
    "pyyaml",
    "rich>=13",
    "sacrebleu>=2.4",
    "scikit-learn",
    # tensorboard and others import pkg_resources, which setuptools 82 removed.
    "setuptools<82",
    "tensorboard",
    "tensorflow",
    "tensorflow-data-validation",
    "tensorflow-metadata",
    "tensorflow-model-analysis",
    "tensorflow-serving-api",
    # TensorFlow Serving's binary has its ops built in; our graphs need none of them.
    "tensorflow-text",
    "tensorflow-transform",
  ],
  extras_require={
    # Airflow may live in an environment of its own: the DAG file needs Airflow only.
    "airflow": ["apache-airflow>=2.10"],
    "kubeflow": ["kfp>=2", "kfp-pipeline-spec>=0.2.2"],
    # In no lock: they bring a server's worth of packages that a run does not need.
    "mlflow": ["mlflow-skinny>=2.16"],
    "openlineage": ["openlineage-python>=1.30"],
    "lint": ["codespell", "import-linter", "mypy", "pre-commit", "ruff", "types-pyyaml"],
    "test": [
      "cryptography",
      "hypothesis",
      "ipython",  # runs the notebook; TFX brings it
      "kubernetes",
      "pytest>=8",
      "pytest-timeout",
      "pytest-xdist",
    ],
  },
)
