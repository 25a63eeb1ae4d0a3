#!/usr/bin/env bash
# A bounded run of every fuzz target, with AddressSanitizer. Fails when a target finds anything, or makes fewer executions than
# it is told: a fuzzer that does not run finds nothing either.
#
# usage: ci/fuzz-smoke.sh [--built DIR] [RUNS]
#
#   --built DIR   run the binaries that `ci/check-oss-fuzz.sh --out DIR` left there, and build nothing
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/fuzzing.sh

usage='usage: ci/fuzz-smoke.sh [--built DIR] [RUNS]'
built=
if [ "${1:-}" = --built ]; then
  [ $# -ge 2 ] || refuse "$usage"
  built=$2
  shift 2
fi
[ $# -le 1 ] || refuse "$usage"
runs=${1:-400}
[[ $runs =~ ^[1-9][0-9]*$ ]] || refuse "$usage"

if [ -z "$built" ]; then
  install_cargo_fuzz
  export RUSTC_WRAPPER="$PWD/ci/rustc-coverage-where-it-counts.sh"
  cargo_fuzz build --release --debug-assertions
  built=$(fuzz_binaries)
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for target in $(fuzz_targets); do
  [ -x "$built/$target" ] || refuse "$built/$target is no program"
  mkdir -p "$work/$target/corpus" "$work/$target/artifacts"
  log=$work/$target/log
  if ! "$built/$target" "$work/$target/corpus" corpus/seeds \
    -seed=1 -runs="$runs" -max_total_time=600 -detect_leaks=0 -artifact_prefix="$work/$target/artifacts/" >"$log" 2>&1; then
    tail -n 200 "$log"
    fail "$target found something"
  fi
  done_runs=$(sed -n 's/^Done \([0-9]*\) runs in .*/\1/p' "$log")
  echo "$target: ${done_runs:-0} executions"
  if [ "${done_runs:-0}" -lt "$runs" ]; then
    tail -n 50 "$log"
    fail "$target made fewer executions than $runs"
  fi
done
