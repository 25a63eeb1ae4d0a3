#!/usr/bin/env bash
# Line coverage of `engine` and `oracle` over the corpus: every seed and every script of corpus/ and tests/wast, and CASES generated
# cases run on both, instrumented. Prints a table of files for each crate.
#
# What is covered is the compiler, the runtime and the interpreter. The machine code that the engine makes has no lines.
#
# Only the workspace's own crates are instrumented, so that nothing else is built again. Needs the toolchain's component llvm-tools
# (rustup component add llvm-tools), and jq.
#
# usage: ci/coverage.sh [--cases CASES] [--html DIR]      (default: 200; DIR gets the annotated sources)
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/fuzzing.sh

usage='usage: ci/coverage.sh [--cases CASES] [--html DIR]'
cases=200
html=
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || refuse "$usage"
  case $1 in
    --cases) cases=$2 ;;
    --html) html=$2 ;;
    *) refuse "$usage" ;;
  esac
  shift 2
done
[[ $cases =~ ^[0-9]+$ ]] || refuse "CASES is a number, not '$cases'"
command -v jq >/dev/null || refuse "jq is not there"
tools=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin
[ -x "$tools/llvm-cov" ] || refuse "$tools/llvm-cov is not there; run: rustup component add llvm-tools"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Programs that run while the instrumented ones are built are none of them; what is instrumented shares files of counters.
export LLVM_PROFILE_FILE=$work/%4m.profraw
# At a place that stays the same, so that a second run builds nothing.
target=${CARGO_TARGET_DIR:-$PWD/target}/coverage
mkdir -p "$target"
printf '#!/bin/sh\nexec "$@" -C instrument-coverage\n' >"$target/rustc"
chmod +x "$target/rustc"
# Without --package, as the tests are built: the libraries are theirs.
RUSTC_WORKSPACE_WRAPPER=$target/rustc cargo build --bin switchback >&2
binary=$work/switchback
# Not left where it would be taken for the ordinary one: cargo puts that back.
mv "${target%/coverage}/debug/switchback" "$binary"
rm -f "$work"/*.profraw

# run WHAT COMMAND...
run() {
  local what=$1
  shift
  "$@" >"$work/log" 2>&1 || {
    tail -n 40 "$work/log" >&2
    fail "$what"
  }
}
mapfile -t modules < <(find corpus -name '*.wasm' -o -name '*.wat' | LC_ALL=C sort)
run "the engines differ on a module of corpus/" "$binary" diff "${modules[@]}"
mapfile -t scripts < <(find corpus tests/wast -name '*.wast' | LC_ALL=C sort)
run "a script fails" "$binary" wast "${scripts[@]}"
if [ "$cases" -gt 0 ]; then
  run "the engines differ on a generated case" \
    "$binary" fuzz --execs "$cases" --seed 1 --jobs "$(nproc)" --out "$work/findings"
fi

"$tools/llvm-profdata" merge --sparse "$work"/*.profraw --output "$work/profile"
for crate in engine oracle; do
  printf '%s: lines executed by %s modules, %s scripts and %s generated cases\n' \
    "$crate" "${#modules[@]}" "${#scripts[@]}" "$cases"
  "$tools/llvm-cov" export "$binary" --instr-profile "$work/profile" --summary-only --sources "$PWD/$crate/src" |
    jq -r --arg folder "$PWD/$crate/src/" '.data[0] |
      (.files | sort_by(.filename)[] | [(.filename | ltrimstr($folder)), .summary.lines]), ["all", .totals.lines] |
      [.[0], .[1].covered, .[1].count, .[1].percent] | @tsv' |
    awk -F '\t' '{ printf "  %-36s %6d of %6d  %6.2f %%\n", $1, $2, $3, $4 }'
done
if [ -n "$html" ]; then
  "$tools/llvm-cov" show "$binary" --instr-profile "$work/profile" --format html --output-dir "$html" \
    --sources "$PWD/engine/src" "$PWD/oracle/src" >&2
  echo "annotated sources: $html/index.html"
fi
