#!/bin/sh
# Prints the path of uv: the one on PATH where it is recent enough, else the pinned one in .tools,
# which is installed first with pip, hash-checked. `$1` is a Python whose pip may be used.
set -eu
cd "$(dirname "$0")/.."

oldest=0.8.0 # tested; earlier ones may lack options used here

is_recent() {
  version=$("$1" --version 2>/dev/null | cut -d ' ' -f 2) || return 1
  [ -n "$version" ] && [ "$(printf '%s\n%s\n' "$oldest" "$version" | sort -V | head -n 1)" = "$oldest" ]
}

if is_recent uv; then
  command -v uv
  exit 0
fi
pinned=$PWD/.tools/bin/uv
if ! is_recent "$pinned"; then
  installed=
  for python in "${1:-python3}" python3 python; do
    if "$python" -m pip --version >/dev/null 2>&1; then
      echo "Fetching uv into .tools (no uv >= $oldest on PATH)" >&2
      PIP_ROOT_USER_ACTION=ignore "$python" -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
        --target .tools --require-hashes --requirement constraints/uv.txt >&2
      installed=yes
      break
    fi
  done
  if [ -z "$installed" ]; then
    echo "Expected uv >= $oldest on PATH, or a Python with pip to fetch it with; found neither." >&2
    echo "Install uv, or pip (Debian and Ubuntu: apt-get install python3-pip), and repeat." >&2
    exit 1
  fi
fi
echo "$pinned"
