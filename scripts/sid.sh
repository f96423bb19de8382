#!/usr/bin/env bash
# Unpack Debian sid's CPythons (3.13, 3.14, 3.15) into a folder, without touching the host.
#
#   scripts/sid.sh [DIR]      default: ~/.cache/sondage/sid
#
# The packages are downloaded by the host's own apt with a private state folder and unpacked with
# `dpkg -x`: no maintainer script runs and nothing is installed. Their glibc is newer than the host's,
# so the interpreters run by `chroot DIR /usr/bin/python3.15`, which needs root; `scripts/py` does it.
set -euo pipefail

dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/sondage/sid}
stamp=$dir/.complete-2
if [ -e "$stamp" ]; then
  exit 0
fi

state=$dir.apt
rm -rf "$dir" "$state"
mkdir -p "$dir" "$state"/{lists/partial,archives/partial,etc}
: >"$state/status"

# The mirror this host already uses for its own suite also carries sid.
mirror=$(apt-get indextargets --format '$(SITE)' | grep -E '/debian/?$' | head -n 1)
if [ -z "$mirror" ]; then
  echo "sid.sh: apt knows no Debian mirror on this host" >&2
  echo "hint: run 'apt-get update' and look at 'apt-get indextargets'" >&2
  exit 1
fi
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keyring] $mirror sid main" >"$state/etc/sources.list"

apt_sid() {
  apt-get -q \
    -o Dir::Etc::sourcelist="$state/etc/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Etc::preferencesparts=/dev/null \
    -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" \
    -o Dir::Cache="$state" -o Dir::Cache::archives="$state/archives" \
    -o APT::Install-Recommends=false -o APT::Sandbox::User=root \
    -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false \
    -o Debug::NoLocking=true -o Dpkg::Use-Pty=0 "$@"
}
apt_sid update >/dev/null

wanted=()
for package in python3.13 python3.14 python3.15 libpython3.14-testsuite libpython3.15-testsuite; do
  case $package in *testsuite) continue ;; esac
  if apt_sid install --print-uris -y "$package" >/dev/null 2>&1; then
    wanted+=("$package")
  else
    echo "sid.sh: $package is not in sid today, left out" >&2
  fi
done
apt_sid install -y --download-only "${wanted[@]}" coreutils dash >/dev/null

# Merged /usr: the links must be there before anything is unpacked through them.
mkdir -p "$dir"/usr/{bin,sbin,lib,lib64} "$dir"/{proc,tmp,dev,root}
for top in bin sbin lib lib64; do ln -s "usr/$top" "$dir/$top"; done
for deb in "$state"/archives/*.deb; do dpkg -x "$deb" "$dir"; done
rm -rf "$state"
touch "$stamp"
