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
  # A compiler for what has no wheel, and the libraries that a Python built elsewhere links to.
  packages=ca-certificates,g++,libbz2-1.0,libexpat1,libffi8,liblzma5,libncursesw6
  packages=$packages,libreadline8t64,libsqlite3-0,libssl3t64,libuuid1,zlib1g
  debootstrap --variant=minbase "--include=$packages" trixie "$root" >"$root.log" 2>&1 ||
    refuse "debootstrap failed:" "$(tail -n 5 "$root.log")"
  : >"$root/made"
fi

# Only what belongs to that Python: its prefix may be /usr.
if [ ! -e "$root/made-python" ]; then
  "$python" -c 'import os, sys, sysconfig
var = sysconfig.get_config_var
include = sysconfig.get_path("include")
paths = [os.path.realpath(sys.executable), sysconfig.get_path("stdlib"), include]
# Debian keeps a part of the headers in a folder for the architecture.
folder, name = os.path.split(include)
paths.append(os.path.join(folder, var("MULTIARCH") or "", name))
if var("Py_ENABLE_SHARED"):
  paths.append(os.path.join(var("LIBDIR"), var("INSTSONAME")))
print("\n".join(path.lstrip("/") for path in dict.fromkeys(paths) if os.path.exists(path)))' >"$root/made-python.list"
  tar --create --exclude __pycache__ --exclude site-packages --directory / \
    --files-from "$root/made-python.list" | tar --extract --directory "$root"
  mv "$root/made-python.list" "$root/made-python"
fi
inside=/$(head -n 1 "$root/made-python")
install -D "$(sh scripts/find-uv.sh)" "$root/usr/local/bin/uv"
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"

# A copy, so that nothing in there writes here; its own .cache keeps the environment for next time.
mkdir -p "$root/dlpipe"
find "$root/dlpipe" -mindepth 1 -maxdepth 1 ! -name .cache -exec rm -rf {} +
git ls-files -z --cached --others --exclude-standard |
  xargs -0 sh -c 'for name; do if [ -e "$name" ]; then printf "%s\\0" "$name"; fi; done' sh |
  tar --null --files-from - --create | tar --extract --directory "$root/dlpipe"

echo "Running in .cache/trixie: Python 3.11, TFX 1.21"
# Mounts of a namespace of their own end with it, whatever happens.
unshare --mount sh -eu -c '
  mount -t proc proc "$1/proc"
  mount --rbind /dev "$1/dev"
  exec chroot "$1" /usr/bin/env HOME=/root PATH="${2%/*}:/usr/local/bin:/usr/bin:/bin" \
    sh /dlpipe/scripts/test-tfx-1.21.sh
' sh "$root" "$inside"
