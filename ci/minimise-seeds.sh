#!/usr/bin/env bash
# Makes corpus/seeds anew: of what is in it, of CASES generated modules, and of the modules in the folders that are named (such as
# fuzz/corpus/differential), a small set that enters the same functions of the engine and the oracle, all no larger than 4 KB.
# Whatever a candidate shows of the seven instructions of stack switching, in each of the circumstances that `switchback stats` counts, some
# seed shows too; what no candidate shows is listed.
#
# usage: ci/minimise-seeds.sh [--cases CASES] [FOLDER...]      (default: 2000)
#
# The result depends on the candidates and on nothing else. Needs a nightly toolchain with cargo-fuzz, and jq.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/fuzzing.sh

usage='usage: ci/minimise-seeds.sh [--cases CASES] [FOLDER...]'
cases=2000
if [ "${1:-}" = --cases ]; then
  [ $# -ge 2 ] || refuse "$usage"
  cases=$2
  shift 2
fi
[[ $cases =~ ^[0-9]+$ ]] || refuse "CASES is a number, not '$cases'"
for folder in "$@"; do
  [ -d "$folder" ] || refuse "$folder is no folder"
done
command -v jq >/dev/null || refuse "jq is not there"
largest=4096

# In the folder of corpus/, so that the last step is a rename.
work=$(mktemp -d corpus/.seeds.XXXXXX)
trap 'rm -rf "$work"' EXIT
if [ -z "${SWITCHBACK:-}" ]; then
  cargo build --release --package switchback >&2
  SWITCHBACK=target/release/switchback
fi
if [ -z "${SWITCHBACK_FUZZER:-}" ]; then
  # Functions (level 1), and not edges: the oracle has a function for each instruction, so there is a seed for each of those, while
  # edges would ask for one for each way in which an operand can be checked, and keep several hundred.
  RUSTFLAGS="${RUSTFLAGS:-} -Cllvm-args=-sanitizer-coverage-level=1" \
    RUSTC_WRAPPER=$PWD/ci/rustc-coverage-where-it-counts.sh cargo_fuzz build --release --sanitizer none differential >&2
  SWITCHBACK_FUZZER=$(fuzz_binaries)/differential
fi

# Candidates are called by their contents: the same one from two places is one.
mkdir "$work/candidates" "$work/seeds" "$work/stats" "$work/one"
add() {
  local sum
  [ "$(stat -c %s "$1")" -le "$largest" ] || return 0
  [ "$(head -c 4 "$1" | od -An -tx1)" = ' 00 61 73 6d' ] || return 0
  sum=$(sha1sum <"$1")
  cp -- "$1" "$work/candidates/${sum%% *}"
}
for ((seed = 0; seed < cases; seed++)); do
  "$SWITCHBACK" generate --seed "$seed" --output "$work/case.wasm"
  add "$work/case.wasm"
done
while read -r path; do add "$path"; done < <(find corpus/seeds "$@" -type f | LC_ALL=C sort)
count=$(find "$work/candidates" -type f | wc -l)
[ "$count" -gt 0 ] || fail "there is no candidate of at most $largest bytes"

# Not how often each was entered: that would keep nearly all.
"$SWITCHBACK_FUZZER" -set_cover_merge=1 -use_counters=0 -max_len="$largest" -artifact_prefix="$work/" \
  "$work/seeds" "$work/candidates" >"$work/log" 2>&1 || {
  tail -n 20 "$work/log" >&2
  fail "the candidates could not be minimised"
}
if grep "caused a failure" "$work/log" >&2; then
  fail "a candidate is a finding: look at it before anything else (ci/fuzz.sh or \`switchback fuzz\` keeps it)"
fi

# pairs FOLDER: what the modules in it show of the seven instructions, one `instruction circumstance` a line.
instructions='["cont.new", "cont.bind", "suspend", "resume", "resume_throw", "resume_throw_ref", "switch"]'
pairs() {
  "$SWITCHBACK" stats "$1" --json | jq -r --argjson wanted "$instructions" '
    .instructions | to_entries[] | select(.key | IN($wanted[])) | .key as $i | .value.under | keys[] | "\($i) \(.)"'
}
while read -r size path; do
  name=${path##*/}
  # A folder, because `stats` refuses a file whose instantiation does not return.
  cp "$path" "$work/one/case.wasm"
  pairs "$work/one" >"$work/stats/$name"
  if [ -e "$work/seeds/$name" ]; then cat "$work/stats/$name" >>"$work/shown"; fi
  echo "$size $name" >>"$work/by-size"
done < <(find "$work/candidates" -type f -printf '%s %p\n' | LC_ALL=C sort -k1,1n -k2)
touch "$work/shown"
while read -r _ name; do
  if LC_ALL=C sort -u "$work/stats/$name" | LC_ALL=C comm -23 - <(LC_ALL=C sort -u "$work/shown") | grep -q .; then
    cp "$work/candidates/$name" "$work/seeds/$name"
    cat "$work/stats/$name" >>"$work/shown"
  fi
done <"$work/by-size"

mkdir "$work/named"
kept=$(find "$work/seeds" -type f | wc -l)
for path in "$work/seeds"/*; do
  name=${path##*/}
  mv --no-clobber "$path" "$work/named/${name:0:12}.wasm"
done
[ "$(find "$work/named" -type f | wc -l)" = "$kept" ] || fail "two seeds have the same name"

mapfile -t circumstances < <("$SWITCHBACK" stats "$work/named" --json | jq -r '[.instructions[].under | keys[]] | unique[]')
for instruction in $(jq -r '.[]' <<<"$instructions"); do
  for circumstance in "${circumstances[@]}"; do
    grep -qxF "$instruction $circumstance" "$work/shown" || echo "no candidate shows: $instruction $circumstance"
  done
done
mv corpus/seeds "$work/old"
mv "$work/named" corpus/seeds
echo "corpus/seeds: $kept of $count candidates, $(cat corpus/seeds/* | wc -c) bytes"
