#!/usr/bin/env bash
# Deploys the shop.
set -euo pipefail

source ./lib/common.sh
. "$HOME/.shop/env"

readonly TARGET=production
declare -r LIMIT=10
export REGION="eu"
verbose=0
verbose=1

# Says something.
# On standard error.
log() {
  local message=$1
  printf '%s\n' "$message" >&2
}

function build {
  count=1
  docker build --tag "$TARGET" .
  log "built $(date)"
}

function deploy_all() (
  for host in a b; do
    deploy "$host" || return
  done
)

main() {
  helper() { :; }
  build && deploy_all
  cat <<TEXT
not_a_call $TARGET
TEXT
}

main "$@"
