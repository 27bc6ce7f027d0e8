#!/bin/sh
# Installs what some tests drive and are skipped without. Called by .ci/run before the tests.
# Takes the distribution's packages, as root or with a sudo that asks nothing, and never fails:
# where they cannot be had, the tests say what they miss.
set -u

# A line each: a command, and the package of Debian that brings it.
wanted="
chromium chromium
curl curl
pg_ctlcluster postgresql
mariadb-install-db mariadb-server
"
seconds=300 # for each step of apt, which would else wait for a mirror that is not there

missing=$(
  echo "$wanted" | while read -r command package; do
    [ -z "$command" ] || command -v "$command" >/dev/null || echo "$package"
  done
)
[ -n "$missing" ] || exit 0
missing=$(echo $missing)

give_up() {
  echo "Not installed: $missing ($1). The tests that need them are skipped."
  exit 0
}

command -v apt-get >/dev/null || give_up "there is no apt-get"
if [ "$(id -u)" = 0 ]; then
  sudo=
elif sudo -n true 2>/dev/null; then
  sudo="sudo -n"
else
  give_up "neither root nor sudo without a password"
fi

apt() {
  $sudo env DEBIAN_FRONTEND=noninteractive timeout "$seconds" apt-get -qq \
    -o DPkg::Lock::Timeout=60 -o Acquire::Retries=1 "$@" </dev/null
}

echo "Installing: $missing"
apt update >&2 || echo "apt-get update failed; trying with the lists that are there"
# Each for itself: one that is not there keeps no other away.
failed=
for package in $missing; do
  apt install -y --no-install-recommends "$package" >&2 || failed="$failed $package"
done
missing=${failed# }
[ -z "$missing" ] || give_up "apt-get install failed"
