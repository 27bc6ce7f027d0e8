"""The distribution `dlpipe`; also what Beam ships to remote workers with `--setup_file`.

Requirements are the direct ones, and loose; `constraints/` holds the complete, hash-checked sets
that were tested. Python 3.10 and 3.11 are two worlds: `docs/decisions/0001-two-tfx-worlds.md`.
"""

from setuptools import find_namespace_packages, setup

OLD = "; python_version < '3.11'"
NEW = "; python_version >= '3.11'"

# Folders without code (schemas, samples) count as packages, so that a wheel carries their files.
PACKAGES = ("components", "data", "dlpipe", "pipeline", "schemas", "serving")
WEB = ("css", "html", "js")
FILES = (*WEB, "csv", "gz", "j2", "jpg", "json", "jsonl", "md", "pbtxt", "png", "tsv", "txt")

setup(
  name="dlpipe",
  version="0.1.0",
  description="From pictures, reviews or sentence pairs to a served Keras model, through TFX",
  license="Apache-2.0",
  python_requires=">=3.10,<3.12",
  packages=find_namespace_packages(
    include=[pattern for name in PACKAGES for pattern in (name, f"{name}.*")],
    exclude=["*.__pycache__"],
  ),
  package_data={"": [f"*.{extension}" for extension in FILES]},
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
    "lint": ["codespell", "import-linter", "mypy", "pre-commit", "ruff", "types-pyyaml"],
    "test": [
      "cryptography",
      "hypothesis",
      "kubernetes",
      "pytest>=8",
      "pytest-timeout",
      "pytest-xdist",
    ],
  },
)
