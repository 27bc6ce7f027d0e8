#!/bin/sh
# Prints the path of a Python of the given version, such as 3.10; exits 1 where there is none.
#   $2  headers: only one that can compile what has no wheel; another is named on stderr
# Looks at PATH, pyenv's versions and uv's own; downloads nothing.
set -eu

# The base executable: with an environment active, PATH leads into that environment. An emulated or
# free-threaded Python takes other wheels than this machine's.
ask='import os, platform, sys, sysconfig
wanted, machine, need = sys.argv[1:]
if "%d.%d" % sys.version_info[:2] != wanted or sys.maxsize < 2**32: sys.exit(1)
if platform.machine() != machine or platform.python_implementation() != "CPython": sys.exit(1)
if sysconfig.get_config_var("Py_GIL_DISABLED"): sys.exit(1)
print(getattr(sys, "_base_executable", sys.executable))
if need and not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")): sys.exit(3)'

machine=$(uname -m)
bare=
for candidate in "python$1" python3 python \
  "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*"/bin/python$1" \
  "${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/uv/python}/cpython-$1".*"/bin/python$1"; do
  # A shim of pyenv exists on PATH and fails when it is run, so a candidate must answer.
  code=0
  path=$("$candidate" -c "$ask" "$1" "$machine" "${2:-}" 2>/dev/null) || code=$?
  case $code in
    0) echo "$path"; exit 0 ;;
    3) bare=${bare:-$path} ;;
  esac
done
[ -z "$bare" ] ||
  echo "$bare is passed over: it has no headers (Debian and Ubuntu: apt-get install python$1-dev)." >&2
exit 1
