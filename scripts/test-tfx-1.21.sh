#!/bin/sh
# Tests this checkout in the second world, Python 3.11 with TFX 1.21: unit tests and a tiny pipeline.
# Called by `make test-tfx-1.21`. With glibc >= 2.38 it runs here, in .cache/tfx-1.21; on an older
# Debian or Ubuntu it runs in a Debian 13 root under .cache/trixie, which root and debootstrap make.
set -eu
cd "$(dirname "$0")/.."

root=$PWD/.cache/trixie

refuse() {
  printf '%s\n' "$@" >&2
  exit 1
}

is_new_glibc() {
  version=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d ' ' -f 2)
  [ -n "$version" ] && [ "$(printf '2.38\n%s\n' "$version" | sort -V | head -n 1)" = 2.38 ]
}

python=$(sh scripts/find-python.sh 3.11) || refuse \
  "Expected Python 3.11 on PATH, in pyenv or in uv's folder; found none." \
  "Install it, for example with 'pyenv install 3.11', and repeat."

if is_new_glibc; then
  venv=.cache/tfx-1.21
  mkdir -p .cache
  DLPIPE_PYTHON=$python DLPIPE_VENV=$venv scripts/install.sh
  "$venv/bin/python" -m pytest tests/unit
  workspace=$(mktemp -d)
  trap 'rm -rf "$workspace"' EXIT
  "$venv/bin/dlpipe" run images --tiny --workspace "$workspace"
  exit 0
fi

[ "$(id -u)" = 0 ] || refuse \
  "TFX 1.21 needs glibc >= 2.38; this machine has $version, and a Debian 13 root takes root to make." \
  "Repeat as root, or on Debian 13, Ubuntu 24.04 or later."
command -v debootstrap >/dev/null || refuse \
  "TFX 1.21 needs glibc >= 2.38; this machine has $version, and debootstrap is not there." \
  "Install it (apt-get install debootstrap), or use Debian 13, Ubuntu 24.04 or later."

if [ ! -e "$root/made" ]; then
  echo "Making a Debian 13 root in .cache/trixie"
  rm -rf "$root"
  mkdir -p "$root"
  # The libraries that a Python built elsewhere links to.
  debootstrap --variant=minbase --include=ca-certificates,libbz2-1.0,libffi8,liblzma5,libncursesw6,libreadline8t64,libsqlite3-0,libssl3t64,libuuid1,zlib1g \
    trixie "$root" >"$root.log" 2>&1 || refuse "debootstrap failed:" "$(tail -n 5 "$root.log")"
  : >"$root/made"
fi

prefix=$("$python" -c 'import sys; print(sys.base_prefix)')
if [ ! -x "$root$prefix/bin/python3.11" ]; then
  mkdir -p "$root$prefix"
  cp -a "$prefix/." "$root$prefix"
fi
install -D "$(sh scripts/find-uv.sh)" "$root/usr/local/bin/uv"
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"

# A copy, so that nothing in there writes here; its own .cache keeps the environment for next time.
mkdir -p "$root/dlpipe"
find "$root/dlpipe" -mindepth 1 -maxdepth 1 ! -name .cache -exec rm -rf {} +
git ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' name; do [ -e "$name" ] && printf '%s\0' "$name"; done |
  tar --null --files-from - --create | tar --extract --directory "$root/dlpipe"

echo "Running in .cache/trixie: Python 3.11, TFX 1.21"
# Mounts of a namespace of their own end with it, whatever happens.
unshare --mount sh -eu -c '
  mount -t proc proc "$1/proc"
  mount --rbind /dev "$1/dev"
  exec chroot "$1" /usr/bin/env HOME=/root PATH="$2/bin:/usr/local/bin:/usr/bin:/bin" \
    sh /dlpipe/scripts/test-tfx-1.21.sh
' sh "$root" "$prefix"
