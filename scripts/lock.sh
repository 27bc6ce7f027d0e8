#!/bin/sh
# Resolves setup.py under the pins of constraints/*.in into the hash-checked sets that are installed.
# Called by `make constraints`. One set per world holds the tools of test and lint too, so that
# what CI ran is what a user gets. Pass --upgrade to take newer versions of what is not pinned.
set -eu
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never UV_CUSTOM_COMPILE_COMMAND="make constraints"
uv=$(sh scripts/find-uv.sh)

compile() { # VERSION PLATFORM NAME [OPTION...]: needs no Python of that version, only metadata
  version=$1 platform=$2 name=$3
  shift 3
  echo "Resolving constraints/$name.txt"
  "$uv" pip compile --quiet setup.py --extra test --extra lint --extra kubeflow \
    --constraints "constraints/$name.in" --generate-hashes --python-version "$version" \
    --python-platform "$platform" --output-file "constraints/$name.txt" "$@"
}

compile 3.10 x86_64-manylinux_2_28 py310-tfx1.16 "$@"
compile 3.11 x86_64-manylinux_2_39 py311-tfx1.21 "$@"

compile_airflow() { # NAME [OPTION...]
  name=$1
  shift
  echo "Resolving constraints/airflow/$name.txt"
  "$uv" pip compile --quiet "constraints/airflow/$name.in" --generate-hashes --universal \
    --python-version 3.10 --output-file "constraints/airflow/$name.txt" "$@"
}

# Airflow is an application: it leaves its dependencies open and works with those of its day.
compile_airflow 2.10 --exclude-newer 2025-02-15 "$@"
compile_airflow 3 "$@"

echo "Resolving constraints/uv.txt"
"$uv" pip compile --quiet constraints/uv.in --generate-hashes --universal \
  --output-file constraints/uv.txt

scripts/lock-roles.sh
