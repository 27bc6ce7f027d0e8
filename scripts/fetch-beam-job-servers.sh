#!/bin/sh
# Fetches Beam's job servers for Flink and Spark from Maven Central and checks every jar.
# Usage: scripts/fetch-beam-job-servers.sh [flink] [spark]; both where none is named.
# They go to $DLPIPE_JOB_SERVERS, else to ~/.cache/dlpipe/job-servers (or $XDG_CACHE_HOME).
set -eu
cd "$(dirname "$0")/.."

target=${DLPIPE_JOB_SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/dlpipe/job-servers}
[ $# -gt 0 ] || set -- flink spark

if ! command -v mvn >/dev/null; then
  echo "Expected Apache Maven's mvn on the PATH, found none. Install it (Debian: maven)." >&2
  exit 2
fi

# Whether a folder holds exactly the jars that a list names.
is_complete() {
  (
    cd "$1" 2>/dev/null &&
      [ "$(ls | wc -l)" = "$(wc -l <"$2")" ] &&
      sha256sum --check --strict --status "$2"
  )
}

for engine in "$@"; do
  case $engine in
    flink | spark) ;;
    *) echo "Expected flink or spark. Received: $engine" >&2; exit 2 ;;
  esac
  sums=$PWD/deploy/beam/$engine/SHA256SUMS
  if is_complete "$target/$engine" "$sums"; then
    echo "$engine: complete at $target/$engine"
    continue
  fi
  mkdir -p "$target"
  partial=$(mktemp -d "$target/.$engine.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  mvn --batch-mode --quiet --file "deploy/beam/$engine/pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$partial"
  if ! is_complete "$partial" "$sums"; then
    echo "$engine: what was fetched is not what deploy/beam/$engine/SHA256SUMS names; not kept." >&2
    exit 1
  fi
  chmod 755 "$partial"
  rm -rf "${target:?}/$engine"
  mv "$partial" "$target/$engine"
  trap - EXIT
  echo "$engine: $(wc -l <"$sums") jars at $target/$engine"
done
