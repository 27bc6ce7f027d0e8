#!/bin/sh
# Creates or completes the environment; does nothing where nothing changed. Called by `make install`.
#
#   DLPIPE_PYTHON   a Python to use instead of the one found
#   DLPIPE_VENV     where the environment goes, .venv by default
set -eu
cd "$(dirname "$0")/.."

venv=${DLPIPE_VENV:-.venv}
stamp=$venv/dlpipe-installed # written last, so that an interrupted install is never taken for whole
export UV_PYTHON_DOWNLOADS=never

fingerprint=$(
  {
    cat setup.py pyproject.toml constraints/*.txt scripts/install.sh dlpipe/own_names.py
    echo "${DLPIPE_PYTHON:-} $PWD"
  } | sha256sum | cut -d ' ' -f 1
)
is_current() {
  [ -x "$venv/bin/python" ] && [ -x "$venv/bin/dlpipe" ] &&
    [ "$(sed -n 1p "$stamp" 2>/dev/null)" = "$fingerprint" ]
}
if is_current; then
  exit 0
fi

# One install at a time; a second one waits, also for what a killed one left running.
mkdir -p .cache
exec 9>.cache/install.lock
flock 9
if is_current; then
  exit 0
fi

refuse() {
  printf '%s\n' "$@" >&2
  exit 1
}

has_new_glibc() {
  glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d ' ' -f 2) || return 1
  [ -n "$glibc" ] && [ "$(printf '2.38\n%s\n' "$glibc" | sort -V | head -n 1)" = 2.38 ]
}

case $(uname -sm) in
  'Linux x86_64') ;;
  *) refuse "Expected Linux on x86_64, for which TFX publishes wheels. Found: $(uname -sm)." \
    "Use such a machine, or a container with --platform linux/amd64." ;;
esac

python=${DLPIPE_PYTHON:-}
if [ -z "$python" ]; then
  python=$(sh scripts/find-python.sh 3.10) || {
    has_new_glibc && python=$(sh scripts/find-python.sh 3.11)
  } || refuse \
    "Expected Python 3.10, or Python 3.11 with glibc >= 2.38. Found neither" \
    "(glibc $(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d ' ' -f 2), looked on PATH, in pyenv and in uv's folder)." \
    "Install one, for example with 'pyenv install 3.10' or 'uv python install 3.10'," \
    "or name it: make install PYTHON=/path/to/python3.10"
fi
version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])') ||
  refuse "Expected a Python interpreter. Received: PYTHON=$python"
case $version in
  3.10.*) world=1.16 lock=constraints/py310-tfx1.16.txt ;;
  3.11.*)
    world=1.21 lock=constraints/py311-tfx1.21.txt
    has_new_glibc || refuse "Python 3.11 goes with TFX 1.21, whose wheels need glibc >= 2.38." \
      "Found: $(getconf GNU_LIBC_VERSION). Use Python 3.10, or Debian 13, Ubuntu 24.04 or later."
    ;;
  *) refuse "Expected Python 3.10 or 3.11. Received: $python, which is $version." ;;
esac

uv=$(sh scripts/find-uv.sh "$python")
place="$PWD $("$python" -c 'import sys; print(sys.base_prefix, sys.version.split()[0])')"
started=$(date +%s)
echo "Python $version, TFX $world: installing $(grep -c '^[a-z].*==' "$lock") packages into $venv"

command -v c++ >/dev/null || command -v g++ >/dev/null ||
  echo "No C++ compiler found: pyfarmhash has no wheel and needs one (apt-get install g++)"

if [ "$(sed -n 2p "$stamp" 2>/dev/null)" = "$place" ] && [ -x "$venv/bin/python" ]; then
  rm -f "$stamp"
else
  rm -rf "$venv" # another Python, another folder, or cut off half-way
  "$uv" venv --quiet --python "$python" --prompt dlpipe "$venv"
fi

# uv lists every package that it touched: keep the stages, the large downloads and the errors.
run_uv() {
  rm -f "$venv/failed"
  { "$uv" pip "$@" --python "$venv/bin/python" 2>&1 || : >"$venv/failed"; } |
    grep --line-buffered -v -e '^ [-+~] ' -e '^Audited ' -e '^Using Python ' -e ' 1 package in ' \
      -e '^ *Buil' -e '^ Download' -e '^Downloading .*KiB)' -e '^Downloading .*(1\{0,1\}[0-9]\.[0-9]MiB)' || :
  [ ! -e "$venv/failed" ] || refuse \
    "The installation did not finish. Repeat it: what is already downloaded is kept."
}

# Compiled now: where PYTHONDONTWRITEBYTECODE is set, each start would compile TFX again (20 s).
# What has no wheel is built with the locked setuptools, not with whatever is newest that day.
run_uv sync --require-hashes --build-constraints "$lock" --compile-bytecode "$lock"
run_uv install --no-deps --no-build-isolation --editable .

printf '%s\n%s\n' "$fingerprint" "$place" >"$stamp"
echo "Ready in $(($(date +%s) - started)) s. Check it with: $venv/bin/dlpipe doctor"
echo "To call dlpipe by its name in this shell:  . $venv/bin/activate"
