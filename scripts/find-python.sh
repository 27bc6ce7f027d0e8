#!/bin/sh
# Prints the path of a Python of the given version, such as 3.10; exits 1 where there is none.
# Looks at PATH, pyenv's versions and uv's own; downloads nothing.
set -eu

# The base executable: with an environment active, PATH leads into that environment.
ask='import sys
if "%d.%d" % sys.version_info[:2] != sys.argv[1]: sys.exit(1)
print(getattr(sys, "_base_executable", sys.executable))'

for candidate in "python$1" python3 python \
  "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*"/bin/python$1" \
  "${XDG_DATA_HOME:-$HOME/.local/share}/uv/python/cpython-$1".*"/bin/python$1"; do
  # A shim of pyenv exists on PATH and fails when it is run, so a candidate must answer.
  if "$candidate" -c "$ask" "$1" 2>/dev/null; then
    exit 0
  fi
done
exit 1
