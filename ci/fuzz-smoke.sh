#!/usr/bin/env bash
# A bounded run of every fuzz target under cargo-fuzz, with AddressSanitizer. Fails when a target finds anything, or makes
# fewer executions than its floor: a fuzzer that does not run finds nothing either.
#
# usage: ci/fuzz-smoke.sh [RUNS]
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/fuzzing.sh
runs=${1:-400}

if ! cargo fuzz --version >/dev/null 2>&1; then
  cargo install cargo-fuzz --version 0.13.2 --locked
fi
export RUSTC_WRAPPER="$PWD/ci/rustc-coverage-where-it-counts.sh"
for target in $(fuzz_targets); do
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/corpus" "$work/artifacts"
  log=$work/log
  if ! cargo +nightly fuzz run "$target" "$work/corpus" corpus/seeds -- \
    -seed=1 -runs="$runs" -max_total_time=600 -detect_leaks=0 -artifact_prefix="$work/artifacts/" >"$log" 2>&1; then
    tail -n 200 "$log"
    echo "ci/fuzz-smoke.sh: $target found something" >&2
    exit 1
  fi
  done_runs=$(sed -n 's/^Done \([0-9]*\) runs in .*/\1/p' "$log")
  echo "$target: ${done_runs:-0} executions"
  if [ "${done_runs:-0}" -lt "$runs" ]; then
    tail -n 50 "$log"
    echo "ci/fuzz-smoke.sh: $target made fewer executions than $runs" >&2
    exit 1
  fi
done
