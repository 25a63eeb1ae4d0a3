#!/usr/bin/env bash
# Stands in for `switchback` in the tests of ci/fuzz.sh: every module is a finding of one kind.
set -euo pipefail
command=$1
[ -z "${CALLED:-}" ] || echo "$*" >>"$CALLED"
file=
out=
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$2 ;;
    *.wasm) file=$1 ;;
  esac
  shift
done
case $command in
  diff)
    echo "$file: divergence outcome/returned.values in call 0"
    exit 1
    ;;
  regress)
    "$SWITCHBACK_STEP_HOOK" regress
    echo ';; a script' >"$out/script.wast"
    ;;
esac
