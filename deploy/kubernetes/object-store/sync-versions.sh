#!/bin/sh
# Copies the versions of a model from an object store to a folder that a model server watches.
#
#   SOURCE=store:bucket/images TARGET=/models/images sync-versions.sh once|loop
#
# `rclone` does the copying; its remote `store` comes from RCLONE_CONFIG_STORE_* variables. A version
# counts once it has a file UPLOADED, which whoever uploads it writes last. It is copied under a name
# that model servers ignore and then renamed, so that none is ever seen half, and never copied again:
# a number is given to one model only. What is gone from the store goes here, too, but for the newest.
set -eu

versions_in() { # the folders whose names are whole numbers, lowest first
  grep -E '^[0-9]+/?$' | tr -d / | sort -n
}

sync() {
  listing=$(rclone lsf --dirs-only "$SOURCE") || return 1
  theirs=$(echo "$listing" | versions_in)
  for version in $theirs; do
    [ -d "$TARGET/$version" ] && continue
    files=$(rclone lsf --files-only "$SOURCE/$version") || return 1
    echo "$files" | grep -qx UPLOADED || continue
    rm -rf "$TARGET/.incoming"
    rclone copy "$SOURCE/$version" "$TARGET/.incoming" || return 1
    mv "$TARGET/.incoming" "$TARGET/$version" || return 1
    echo "Version $version is here."
  done
  ours=$(ls "$TARGET" | versions_in)
  newest=$(echo "$ours" | tail -n 1)
  for version in $ours; do
    if [ "$version" != "$newest" ] && ! echo "$theirs" | grep -qx "$version"; then
      rm -rf "${TARGET:?}/$version"
      echo "Version $version is gone from the store."
    fi
  done
}

case ${1:-} in
  once)
    # A server without a version would only wait: wait here, where the log says for what.
    until sync && ls "$TARGET" | versions_in | grep -q .; do
      echo "No version in $SOURCE yet, or it cannot be read."
      sleep "${INTERVAL_S:-30}"
    done
    ;;
  loop)
    while sleep "${INTERVAL_S:-30}"; do
      sync || echo "The store cannot be read; what is here stays."
    done
    ;;
  *)
    echo "Expected once or loop. Received: ${1:-nothing}." >&2
    exit 2
    ;;
esac
