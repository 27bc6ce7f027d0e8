# Which Pythons go with which TFX, and which of them this machine can load. Sourced by the scripts
# beside it, from the root of the repository. The facts are those of pipeline/doctor/worlds.txt.

# A line each, newest first: PYTHON TFX GLIBC MACOS_ARM64 KEPT_UNTIL.
list_worlds() {
  grep -v '^#' pipeline/doctor/worlds.txt
}

# The line of a Python such as 3.13 or 3.13.5; fails where there is none.
find_world() {
  list_worlds | awk -v python="$1" '
    BEGIN { split(python, part, "."); wanted = part[1] "." part[2] }
    $1 == wanted { print; found = 1 }
    END { exit !found }'
}

# The name of a lock, without folder and .txt: name_lock PYTHON TFX
name_lock() {
  echo "py$(echo "$1" | tr -d .)-tfx$2"
}

# Whether a version is as new as another: is_at_least 2.38 2.41
is_at_least() {
  awk -v least="$1" -v version="$2" 'BEGIN {
    if (version == "") exit 1
    count = split(least, wanted, "."); split(version, found, ".")
    for (i = 1; i <= count; i++) if (found[i] + 0 != wanted[i] + 0) exit found[i] + 0 < wanted[i] + 0
  }'
}

# Says why this machine cannot load the world of a Python, and nothing where it can.
explain_not_loadable() { # PYTHON
  read -r _ tfx oldest macos _ <<END
$(find_world "$1")
END
  machine=$(uname -sm)
  case $machine in
    'Linux x86_64')
      glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | awk '{ print $2 }') || glibc=
      is_at_least "$oldest" "$glibc" ||
        echo "TFX $tfx needs glibc >= $oldest; this machine has ${glibc:-another C library}"
      ;;
    'Darwin arm64') [ "$macos" = yes ] || echo "TFX $tfx has no wheels for Apple silicon" ;;
    *) echo "TFX has no wheels for $machine" ;;
  esac
}

# Like "3.13, 3.12 or 3.11".
join_or() {
  echo "$*" | sed -e 's/ /, /g' -e 's/\(.*\), /\1 or /'
}
