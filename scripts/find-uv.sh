#!/bin/sh
# Prints the path of uv: the one on PATH where it is recent enough, else the pinned one in .tools,
# which is fetched first: with pip, hash-checked, or by uv's own installer where no Python has pip or
# venv and UV_PYTHON_DOWNLOADS is not "never". `$1` is a Python whose pip may be used.
set -eu
cd "$(dirname "$0")/.."

. scripts/worlds.sh

oldest=0.8.0 # tested; earlier ones may lack options used here
pinned=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' constraints/uv.in)

is_recent() {
  version=$("$1" --version 2>/dev/null | cut -d ' ' -f 2) || return 1
  is_at_least "$oldest" "$version"
}

with_pip() { # PYTHON...: hash-checked
  for python; do
    if "$python" -m pip --version >/dev/null 2>&1; then
      echo "Fetching uv into .tools (no uv >= $oldest on PATH)" >&2
      PIP_ROOT_USER_ACTION=ignore "$python" -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
        --target .tools --require-hashes --requirement constraints/uv.txt >&2
      return
    fi
  done
  return 1
}

with_venv() { # PYTHON...: Debian's python3-venv brings pip for environments, and none beside them
  for python; do
    if "$python" -m venv .cache/with-pip >/dev/null 2>&1 && with_pip .cache/with-pip/bin/python; then
      rm -rf .cache/with-pip
      return
    fi
    rm -rf .cache/with-pip
  done
  return 1
}

with_installer() { # uv's own, which checks what it fetches
  case ${UV_PYTHON_DOWNLOADS:-automatic} in never | manual | false | 0) return 1 ;; esac
  address=https://astral.sh/uv/$pinned/install.sh
  if command -v curl >/dev/null; then
    get="curl --proto =https --tlsv1.2 -LsSf"
  elif command -v wget >/dev/null; then
    get="wget -qO-"
  else
    return 1
  fi
  echo "Found no Python with pip: fetching uv into .tools with $address" >&2
  mkdir -p .tools/bin
  # Whole before it is run: a shell would run the first half of what was cut off.
  $get "$address" >.tools/install-uv.sh &&
    UV_UNMANAGED_INSTALL=$PWD/.tools/bin UV_NO_MODIFY_PATH=1 sh .tools/install-uv.sh >&2
}

if is_recent uv; then
  command -v uv
  exit 0
fi
path=$PWD/.tools/bin/uv
if ! is_recent "$path"; then
  with_pip "${1:-python3}" python3 python || with_venv "${1:-python3}" python3 || with_installer || {
    echo "Expected uv >= $oldest on PATH, or a Python with pip or venv, or curl or wget, to fetch it with." >&2
    echo "Install uv, or pip (Debian and Ubuntu: apt-get install python3-pip), and repeat." >&2
    exit 1
  }
fi
echo "$path"
