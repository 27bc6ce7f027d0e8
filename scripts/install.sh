#!/bin/sh
# Creates or completes the environment; does nothing where nothing changed. Called by `make install`.
#
#   DLPIPE_PYTHON   a Python, or a version such as 3.12, to use instead of the newest that fits
#   DLPIPE_VENV     where the environment goes, .venv by default
#   UV_PYTHON_DOWNLOADS=never   fetches no Python where none is found
set -eu
cd "$(dirname "$0")/.."

venv=${DLPIPE_VENV:-.venv}
stamp=$venv/dlpipe-installed # written last, so that an interrupted install is never taken for whole

digest() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi
}

fingerprint=$(
  {
    cat setup.py pyproject.toml constraints/*.txt scripts/install.sh dlpipe/own_names.py \
      pipeline/doctor/worlds.txt
    echo "${DLPIPE_PYTHON:-} $PWD"
  } | digest | cut -d ' ' -f 1
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
if command -v flock >/dev/null; then
  flock 9
else # macOS has none; the lock is that of the open file, which this shell keeps
  perl -MFcntl=:flock -e 'open(LOCK, ">&=", 9) or die; flock(LOCK, LOCK_EX) or die "flock: $!\n"'
fi
if is_current; then
  exit 0
fi

refuse() {
  printf '%s\n' "$@" >&2
  exit 1
}

. scripts/worlds.sh
python=$(sh scripts/choose-python.sh)
uv=$(sh scripts/find-uv.sh "$python")
export UV_PYTHON_DOWNLOADS=never # from here on nothing but packages
version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
read -r minor tfx _ <<END
$(find_world "$version")
END
lock=constraints/$(name_lock "$minor" "$tfx").txt

place="$PWD $("$python" -c 'import sys; print(sys.base_prefix, sys.version.split()[0])')"
started=$(date +%s)
echo "Installing $(grep -c '^[a-z].*==' "$lock") packages into $venv"

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
# Our own, too: a file that is edited later is compiled at each start, as all of them would be.
"$venv/bin/python" -m compileall -q components data dlpipe pipeline serving

printf '%s\n%s\n' "$fingerprint" "$place" >"$stamp"
echo "Ready in $(($(date +%s) - started)) s. Check it with: $venv/bin/dlpipe doctor"
echo "To call dlpipe by its name in this shell:  . $venv/bin/activate"
