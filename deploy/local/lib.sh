# Shared by the scripts of this folder; sourced, not run.
# shellcheck shell=bash disable=SC2034

LOCAL_DIR=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
ROOT_DIR=$(cd -- "$LOCAL_DIR/../.." && pwd -P)
readonly LOCAL_DIR ROOT_DIR

fail() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  exit "${2:-1}"
}

# Prints the comment at the head of the running script, which is its help.
help() {
  awk 'NR > 1 { if (!sub(/^# ?/, "")) exit; print }' "$0"
}

# misuse MESSAGE: for arguments that make no sense.
misuse() {
  fail "$1 (see ${0##*/} --help)" 2
}

# split_address [HOST:]PORT: sets host, 127.0.0.1 where none is said, and port_there.
split_address() {
  [[ $1 == *:* ]] || set -- "127.0.0.1:$1"
  host=${1%:*}
  port_there=${1##*:}
  require_port "$port_there"
}

require_port() {
  [[ $1 =~ ^[1-9][0-9]{0,4}$ && $1 -le 65535 ]] || misuse "not a port number: '$1'"
}
