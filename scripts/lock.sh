#!/bin/sh
# Resolves setup.py under the pins of constraints/*.in into the hash-checked sets that are installed.
# Called by `make constraints`. One set per Python holds the tools of test and lint too, so that
# what CI ran is what a user gets. Pass --upgrade to take newer versions of what is not pinned.
set -eu
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never UV_CUSTOM_COMPILE_COMMAND="make constraints"
. scripts/worlds.sh
uv=$(sh scripts/find-uv.sh)

compile() { # PYTHON [OPTION...]: needs no Python of that version, only metadata
  version=$1
  shift
  "$uv" pip compile --quiet setup.py --extra test --extra lint --extra kubeflow \
    --python-version "$version" "$@"
}

# The set is resolved for Linux; Apple silicon gets the same one, which must be all that it needs.
check_apple_silicon() { # PYTHON LOCK: the heavy packages must have wheels, too
  compile "$1" --constraints "$2" --python-platform aarch64-apple-darwin --no-annotate --no-header \
    --only-binary ml-metadata --only-binary tensorflow --only-binary tensorflow-data-validation \
    --only-binary tfx-bsl >.cache/apple.txt
  missing=$(awk '{ print $1 }' .cache/apple.txt | while read -r pin; do
    grep -q "^$pin " "$2" || echo "$pin"
  done)
  [ -z "$missing" ] || {
    echo "Expected $2 to hold all that Apple silicon needs. It lacks:" $missing >&2
    exit 1
  }
}

mkdir -p .cache
list_worlds | while read -r version tfx glibc macos _; do
  name=$(name_lock "$version" "$tfx")
  echo "Resolving constraints/$name.txt"
  compile "$version" --constraints "constraints/tfx$tfx.in" --generate-hashes \
    --python-platform "x86_64-manylinux_$(echo "$glibc" | tr . _)" \
    --output-file "constraints/$name.txt" "$@"
  [ "$macos" != yes ] || check_apple_silicon "$version" "constraints/$name.txt"
done

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

echo "Resolving constraints/s3/moto.txt"
"$uv" pip compile --quiet constraints/s3/moto.in --generate-hashes --universal \
  --python-version 3.10 --output-file constraints/s3/moto.txt "$@"

echo "Resolving constraints/uv.txt"
"$uv" pip compile --quiet constraints/uv.in --generate-hashes --universal \
  --output-file constraints/uv.txt

scripts/lock-roles.sh
