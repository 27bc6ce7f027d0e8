#!/bin/sh
# Tests the DAG file on a real Airflow, in an environment of its own: `make test-airflow`.
#   $1  2.10 or 3: which of constraints/airflow/, 2.10 by default; more arguments go to pytest
set -eu
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never

refuse() {
  printf '%s\n' "$@" >&2
  exit 1
}

version=2.10
case ${1:-} in
  2.10 | 3) version=$1 && shift ;;
  [0-9]*) refuse "Expected 2.10 or 3, as in constraints/airflow/. Received: $1" ;;
esac
lock=constraints/airflow/$version.txt
venv=.cache/airflow-$version

command -v initdb >/dev/null || [ -n "$(find /usr/lib/postgresql -name initdb 2>/dev/null)" ] ||
  refuse "Airflow's tests need PostgreSQL's programs; found no initdb." \
    "Run scripts/install-test-servers.sh as root, or install PostgreSQL (Debian: postgresql)."

if [ "$(cat "$venv/installed" 2>/dev/null)" != "$(sha256sum <"$lock")" ]; then
  python=$(sh scripts/find-python.sh 3.10 || sh scripts/find-python.sh 3.11 ||
    sh scripts/find-python.sh 3.12) ||
    refuse "Expected Python 3.10, 3.11 or 3.12 on PATH, in pyenv or in uv's folder; found none."
  uv=$(sh scripts/find-uv.sh "$python")
  echo "Installing Airflow into $venv"
  rm -rf "$venv"
  "$uv" venv --quiet --python "$python" "$venv"
  "$uv" pip sync --quiet --require-hashes --python "$venv/bin/python" "$lock"
  sha256sum <"$lock" >"$venv/installed"
fi

echo "Running on Airflow $("$venv/bin/python" -c 'import importlib.metadata as m; print(m.version("apache-airflow"))')"
DLPIPE_TEST_AIRFLOW=$venv exec .venv/bin/python -m pytest tests/e2e/orchestration/airflow "$@"
