#!/bin/sh
# Derives from the lock of each world what an image holds that has one role: constraints/roles/.
# Called by `make constraints` when the locks are there. It chooses no version: every package is the
# lock's, but for tensorflow-cpu, which is the lock's tensorflow without what a GPU needs.
set -eu
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never UV_CUSTOM_COMPILE_COMMAND="make constraints"
. scripts/worlds.sh
uv=$(sh scripts/find-uv.sh)

derive() { # ROLE [OPTION...]: for $version, under the lock $world
  role=$1
  shift
  rm -f "constraints/roles/$role-$world.txt" # uv would keep versions that it finds there
  "$uv" pip compile --quiet "$@" --constraints "constraints/$world.txt" --generate-hashes \
    --python-version "$version" --python-platform "x86_64-manylinux_$(echo "$glibc" | tr . _)" \
    --output-file "constraints/roles/$role-$world.txt"
}

list_worlds | while read -r version tfx glibc _; do
  world=$(name_lock "$version" "$tfx")
  echo "Deriving constraints/roles/*-$world.txt"
  derive training setup.py --extra kubeflow </dev/null
  tensorflow=$(sed -n 's/^tensorflow==\([0-9.]*\).*/\1/p' "constraints/$world.txt")
  echo "tensorflow-cpu==$tensorflow" |
    derive server - constraints/roles/server.in --overrides constraints/roles/server-overrides.txt
done
