#!/bin/sh
# Prints the path of the Python to install into, and says on stderr which world that is and why.
# Called by install.sh. Takes the newest that this machine can load and that is found; where none
# is found, uv fetches one.
#
#   DLPIPE_PYTHON             a Python, or a version such as 3.12, to use instead
#   UV_PYTHON_DOWNLOADS=never forbids uv to fetch a Python
set -eu
cd "$(dirname "$0")/.."
. scripts/worlds.sh

refuse() {
  printf '%s\n' "$@" >&2
  exit 1
}

known=$(join_or $(list_worlds | awk '{ print $1 }'))

# Says what is chosen: settle PATH VERSION WHY
settle() {
  read -r version tfx _ _ kept_until <<END
$(find_world "$2")
END
  echo "Python $2 with TFX $tfx: $3." >&2
  [ "$kept_until" = - ] ||
    echo "Python $version is past its end of life; dlpipe keeps it until $kept_until." >&2
  [ "$(uname -s)" != Darwin ] ||
    echo "TFX has wheels for Apple silicon; nobody has tried dlpipe there yet." >&2
  echo "$1"
}

ask_version() {
  "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])'
}

# May uv fetch a Python? Its own variable says so.
may_fetch() {
  case ${UV_PYTHON_DOWNLOADS:-automatic} in
    never | manual | false | 0) return 1 ;;
  esac
}

fetch() { # VERSION: prints the path
  uv=$(sh scripts/find-uv.sh)
  echo "Found no Python that fits: uv fetches Python $1 (UV_PYTHON_DOWNLOADS=never forbids it)." >&2
  UV_PYTHON_INSTALL_BIN=0 "$uv" python install "$1" >&2 || return 1
  "$uv" python find --no-project --managed-python --no-python-downloads "$1"
}

given=${DLPIPE_PYTHON:-}
wanted=$(list_worlds | awk '{ print $1 }')
case $given in
  3.[0-9] | 3.[0-9][0-9])
    find_world "$given" >/dev/null || refuse "Expected Python $known. Received: PYTHON=$given"
    wanted=$given given=
    ;;
esac

if [ -n "$given" ]; then
  version=$(ask_version "$given") ||
    refuse "Expected a Python interpreter, or $known. Received: PYTHON=$given"
  find_world "$version" >/dev/null ||
    refuse "Expected Python $known. Received: PYTHON=$given, which is $version."
  reason=$(explain_not_loadable "$version")
  [ -z "$reason" ] || refuse "Python $version cannot be used here: $reason." \
    "Leave PYTHON out, and make install takes what this machine can load."
  settle "$given" "$version" "PYTHON=$given says so"
  exit 0
fi

loadable= reason=
for version in $wanted; do
  no=$(explain_not_loadable "$version")
  if [ -z "$no" ]; then
    loadable="$loadable $version"
  else
    reason=${reason:-$no}
  fi
done
if [ -z "$loadable" ]; then
  [ -z "${DLPIPE_PYTHON:-}" ] || refuse "Python $DLPIPE_PYTHON cannot be used here: $reason." \
    "Leave PYTHON out, and make install takes what this machine can load."
  refuse "$reason." \
    "Expected Linux on x86_64 with glibc, or a Mac with Apple silicon; elsewhere use a container" \
    "with --platform linux/amd64."
fi

newer= why=
for version in $loadable; do
  if path=$(sh scripts/find-python.sh "$version" headers); then
    full=$(ask_version "$path")
    if [ -n "${DLPIPE_PYTHON:-}" ]; then
      why="PYTHON=$DLPIPE_PYTHON says so"
    elif [ -n "$newer" ]; then
      why="found no Python $(join_or $newer)"
    else
      why=${reason:-"the newest that this machine can load"}
    fi
    settle "$path" "$full" "$why"
    exit 0
  fi
  newer="$newer $version"
done

set -- $loadable
if may_fetch; then
  path=$(fetch "$1") || refuse "uv could not fetch Python $1; what it said stands above." \
    "Install Python $(join_or $loadable) by other means, with its headers, and repeat."
  settle "$path" "$(ask_version "$path")" "fetched by uv${reason:+; $reason}"
  exit 0
fi
refuse "Expected Python $(join_or $loadable), with its headers, on PATH, in pyenv or in uv's folder." \
  "Found none, and UV_PYTHON_DOWNLOADS=$UV_PYTHON_DOWNLOADS keeps uv from fetching one.${reason:+ $reason.}" \
  "Install one (Debian and Ubuntu: apt-get install python$1-dev), or name it:" \
  "make install PYTHON=/path/to/python$1"
