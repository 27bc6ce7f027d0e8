#!/bin/sh
# Tests this checkout with TFX 1.21, by default on Python 3.11 and 3.13: the whole suite, in which
# all three tasks run. Called by `make test-tfx-1.21`; arguments go to pytest. Where glibc is new
# enough it runs here, in .cache/tfx-1.21-<Python>; on an older Debian or Ubuntu it runs in a Debian 13
# root under .cache/trixie, which root and debootstrap make.
#
#   PYTHONS   versions to take instead, such as "3.12"
set -eu
cd "$(dirname "$0")/.."
. scripts/worlds.sh

root=$PWD/.cache/trixie
pythons=${PYTHONS:-3.11 3.13}

refuse() {
  printf '%s\n' "$@" >&2
  exit 1
}

for python in $pythons; do
  case $(find_world "$python") in
    *' 1.21 '*) ;;
    *) refuse "Expected Pythons that go with TFX 1.21. Received: PYTHONS=$pythons" ;;
  esac
done
reason=$(explain_not_loadable "$python")

if [ -z "$reason" ]; then
  mkdir -p .cache
  for python in $pythons; do
    venv=.cache/tfx-1.21-$python
    DLPIPE_PYTHON=$python DLPIPE_VENV=$venv scripts/install.sh
    echo "Testing with Python $python, TFX 1.21"
    "$venv/bin/python" -m pytest ${SIDE_BY_SIDE:-} "$@"
  done
  exit 0
fi

[ "$(id -u)" = 0 ] || refuse "$reason, and a Debian 13 root takes root to make." \
  "Repeat as root, or on Debian 13, Ubuntu 24.04 or later."
command -v debootstrap >/dev/null || refuse "$reason, and debootstrap is not there." \
  "Install it (apt-get install debootstrap), or use Debian 13, Ubuntu 24.04 or later."

if [ ! -e "$root/made" ]; then
  echo "Making a Debian 13 root in .cache/trixie"
  rm -rf "$root"
  mkdir -p "$root"
  # Debian's Python 3.13, a compiler for what has no wheel, the libraries that a Python built elsewhere
  # links to, and what tests call.
  packages=ca-certificates,g++,git,make,procps,python3.13-dev,libbz2-1.0,libexpat1,libffi8,liblzma5
  packages=$packages,libncursesw6,libreadline8t64,libsqlite3-0,libssl3t64,libuuid1,zlib1g
  debootstrap --variant=minbase "--include=$packages" trixie "$root" >"$root.log" 2>&1 ||
    refuse "debootstrap failed:" "$(tail -n 5 "$root.log")"
  : >"$root/made"
fi

# A Python that the root lacks is copied from here: only what belongs to it, its prefix may be /usr.
copy_python() { # VERSION
  python=$(sh scripts/find-python.sh "$1" headers) || refuse \
    "Expected Python $1 with its headers on PATH, in pyenv or in uv's folder; found none." \
    "Install it, for example with 'pyenv install $1', and repeat."
  "$python" -c 'import os, sys, sysconfig
var = sysconfig.get_config_var
include = sysconfig.get_path("include")
paths = [os.path.realpath(sys.executable), sysconfig.get_path("stdlib"), include]
# Debian keeps a part of the headers in a folder for the architecture.
folder, name = os.path.split(include)
paths.append(os.path.join(folder, var("MULTIARCH") or "", name))
if var("Py_ENABLE_SHARED"):
  paths.append(os.path.join(var("LIBDIR"), var("INSTSONAME")))
print("\n".join(path.lstrip("/") for path in dict.fromkeys(paths) if os.path.exists(path)))' >"$root/made-$1.list"
  tar --create --exclude __pycache__ --exclude site-packages --directory / \
    --files-from "$root/made-$1.list" | tar --extract --directory "$root"
  ln -sf "/$(head -n 1 "$root/made-$1.list")" "$root/usr/local/bin/python$1"
  mv "$root/made-$1.list" "$root/made-$1"
}

for python in $pythons; do
  [ -e "$root/usr/bin/python$python" ] || [ -e "$root/made-$python" ] || copy_python "$python"
done
install -D "$(sh scripts/find-uv.sh)" "$root/usr/local/bin/uv"
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"

# A copy, so that nothing in there writes here; its own .cache keeps the environments for next time.
mkdir -p "$root/dlpipe"
find "$root/dlpipe" -mindepth 1 -maxdepth 1 ! -name .cache -exec rm -rf {} +
git ls-files -z --cached --others --exclude-standard |
  xargs -0 sh -c 'for name; do if [ -e "$name" ]; then printf "%s\\0" "$name"; fi; done' sh |
  tar --null --files-from - --create | tar --extract --directory "$root/dlpipe"

echo "Running in .cache/trixie"
# Mounts of a namespace of their own end with it, whatever happens.
root=$root pythons=$pythons exec unshare --mount sh -eu -c '
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  exec chroot "$root" /usr/bin/env HOME=/root LANG=C.UTF-8 PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONS="$pythons" UV_PYTHON_DOWNLOADS=never SIDE_BY_SIDE="${SIDE_BY_SIDE:-}" \
    sh -eu -c "/dlpipe/scripts/install-test-servers.sh; exec /dlpipe/scripts/test-tfx-1.21.sh \"\$@\"" sh "$@"
' sh "$@"
