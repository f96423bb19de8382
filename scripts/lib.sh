# Shell functions for the other scripts. Source it: `. "$(dirname "$0")/lib.sh"`.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sondage

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }

fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  for hint in "$@"; do printf 'hint: %s\n' "$hint" >&2; done
  exit 1
}

# need PROGRAM=PACKAGE…: installs the Debian packages of the programs that are missing. A name with
# a slash is a file instead of a program. Without root it asks, with the command to type.
need() {
  local pair wanted packages=()
  for pair in "$@"; do
    wanted=${pair%%=*}
    case $wanted in
      */*) [ -e "$wanted" ] && continue ;;
      *) command -v "$wanted" >/dev/null 2>&1 && continue ;;
    esac
    packages+=("${pair#*=}")
  done
  [ ${#packages[@]} -eq 0 ] && return 0
  local install="apt-get install -y --no-install-recommends ${packages[*]}"
  command -v apt-get >/dev/null || fail "missing programs, and this is no Debian: ${packages[*]}" \
    "install these by your system's own means"
  if [ "$(id -u)" != 0 ]; then
    fail "missing Debian packages: ${packages[*]}" "sudo apt-get update && sudo $install"
  fi
  say "installing ${packages[*]}"
  apt-get update -q >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q -o Dpkg::Use-Pty=0 \
    --no-install-recommends "${packages[@]}" >/dev/null
}

# newer STAMP PATH…: whether anything below the paths changed since the stamp.
newer() {
  local stamp=$1
  shift
  [ ! -e "$stamp" ] || [ -n "$(find "$@" -name node_modules -prune -o -newer "$stamp" -type f -print -quit)" ]
}
