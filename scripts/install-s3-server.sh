#!/bin/sh
# Installs moto, an S3-compatible server, into .cache/s3-server for the tests that read from one.
# Called by .ci/run; without it these tests are skipped.
set -eu
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never

lock=constraints/s3/moto.txt
venv=.cache/s3-server
[ "$(cat "$venv/installed" 2>/dev/null)" != "$(sha256sum <"$lock")" ] || exit 0
python=$(sh scripts/find-python.sh 3.10 || sh scripts/find-python.sh 3.11 ||
  sh scripts/find-python.sh 3.12 || sh scripts/find-python.sh 3.13) || {
  echo "Expected Python 3.10 to 3.13 on PATH, in pyenv or in uv's folder; found none." >&2
  exit 1
}
uv=$(sh scripts/find-uv.sh "$python")
echo "Installing an S3-compatible server into $venv"
rm -rf "$venv"
"$uv" venv --quiet --python "$python" "$venv"
"$uv" pip sync --quiet --require-hashes --python "$venv/bin/python" "$lock"
sha256sum <"$lock" >"$venv/installed"
