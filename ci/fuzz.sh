#!/usr/bin/env bash
# Fuzzes one target on all cores of this machine, round after round, until HOURS are over (fractions are allowed; without
# HOURS, until it is stopped). A round fuzzes with libFuzzer's fork mode, then minimises the corpus, then makes of each new
# artifact a finding: a script by `switchback regress` where there is one, else a reduced module, else reduced bytes.
#
# usage: ci/fuzz.sh TARGET [HOURS]
#
#   fuzz/corpus/TARGET      the corpus, and
#   fuzz/artifacts/TARGET   inputs that crash: where cargo-fuzz has them
#   fuzz/findings/TARGET    a folder for each artifact: what it shows, and how to see it again
#   fuzz/work/TARGET        what is not finished; log/ has the output of the last round
#
# It may be killed at any moment, with SIGKILL too; the same command goes on. Nothing is lost then, because whatever counts
# comes to its place by a rename within one file system, and is put there again at the next start if the rename was not reached:
# inputs that a fuzzing process had not yet handed over, a corpus that was being minimised, a finding that was being made.
# (What counts is what processes have written. This is no protection against the machine losing power.)
#
# Environment: JOBS (processes; default: one a core), ROUND (seconds of fuzzing a round; default: 3600), SANITIZER (address, the
# default, or none, which is several times faster and finds differences, but not every misuse of memory). For tests:
# SWITCHBACK_FUZZER and SWITCHBACK (commands instead of the built target and `switchback`), SWITCHBACK_FUZZ_DIR (instead of
# fuzz/), SWITCHBACK_STEP_HOOK (a command that is called with the name of every step).
#
# Exit status: 0 no finding, 1 new findings, 2 usage, or the target cannot be run, 130 stopped by a signal.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/fuzzing.sh

usage='usage: ci/fuzz.sh TARGET [HOURS]'
[ $# -ge 1 ] && [ $# -le 2 ] || refuse "$usage"
target=$1
hours=${2:-}
features=$(optional_fuzz_targets | awk -v target="$target" '$1 == target { print $2 }')
# The features of the targets are called as those of `switchback` that they turn on.
optional=()
[ -z "$features" ] || optional=(--features "$features")
is_fuzz_target "$target" || [ -n "$features" ] ||
  refuse "no target is called '$target'; there are: $({ fuzz_targets; optional_fuzz_targets | cut -d' ' -f1; } | sort | xargs)"
[[ $hours =~ ^([0-9]+(\.[0-9]+)?)?$ ]] || refuse "HOURS is a number, not '$hours'; $usage"
jobs=${JOBS:-$(nproc)}
round=${ROUND:-3600}
[[ $jobs =~ ^[1-9][0-9]*$ ]] || refuse "JOBS is a number above 0, not '$jobs'"
[[ $round =~ ^[1-9][0-9]*$ ]] || refuse "ROUND is a number of seconds above 0, not '$round'"
sanitizer=${SANITIZER:-address}
[[ $sanitizer =~ ^(address|none)$ ]] || refuse "SANITIZER is address or none, not '$sanitizer'"

state=${SWITCHBACK_FUZZ_DIR:-fuzz}
corpus=$state/corpus/$target
artifacts=$state/artifacts/$target
findings=$state/findings/$target
work=$state/work/$target
mkdir -p "$corpus" "$artifacts" "$findings" "$work/log" "$work/torn"
# A rename must stay within a file system, or it is a copy, which can be killed half-way.
[ "$(stat -L -c %d "$corpus" "$artifacts" "$findings" "$work" | sort -u | wc -l)" = 1 ] ||
  refuse "$corpus, $artifacts, $findings and $work must be on one file system"

exec 9>>"$work/lock"
# Not at once, because a killed run may have a command of a moment left.
flock --wait 5 9 || refuse "$work/lock: another run is at work on $target"

step() {
  [ -z "${SWITCHBACK_STEP_HOOK:-}" ] || "$SWITCHBACK_STEP_HOOK" "$1" 9>&-
}

say() {
  echo "$(date -u +%FT%TZ) $target: $*"
}

# Runs a command that may take long. It and whatever it starts hold $work/alive open, by which they are found again.
run() {
  "$@" 8>>"$work/alive" 9>&- </dev/null &
  wait $!
}

# holders FILE: the processes that have it open.
holders() {
  find /proc/[0-9]*/fd -maxdepth 1 -type l -printf '%h %l\n' 2>/dev/null |
    FILE=$1 awk -F / 'substr($0, index($0, " ") + 1) == ENVIRON["FILE"] { print $3 }' | sort -u
}

# Ends the processes of a run that is gone: they would go on changing what this run is about to look after.
stop_leftovers() {
  local pids
  while
    mapfile -t pids < <(holders "$(realpath "$work/alive")")
    [ ${#pids[@]} -gt 0 ]
  do
    # One that has ended since is no error.
    kill -KILL "${pids[@]}" 2>/dev/null || true
    sleep 0.05
  done
}

# whole FOLDER: the files in it, one a line, that libFuzzer has written to their end: it calls them by the SHA-1 of what is in them.
whole() {
  named "$1" | sed -nE 's/^([0-9a-f]{40})  (.*\/([a-z]+-)*\1)$/\2/p'
}

# torn FOLDER: those that it has not.
torn() {
  named "$1" | sed -E '/^([0-9a-f]{40})  .*\/([a-z]+-)*\1$/d; s/^.{42}//'
}

named() {
  find "$1" -type f -regextype posix-extended -regex '.*/([a-z]+-)*[0-9a-f]{40}' -print0 | xargs -0r sha1sum
}

# Moves the files on standard input, one a line, into a folder. One of a name that is there stays where it is.
move_into() {
  tr '\n' '\0' | xargs -0r mv --no-clobber --target-directory="$1" --
}

# Sets files that were being written when a process was killed aside: what they are worth is elsewhere, or was never whole.
set_aside_torn() {
  torn "$1" | move_into "$work/torn"
}

# Puts everything to its place, whatever a run before this one was doing when it ended. May be killed, and begun again.
recover() {
  local file
  mkdir -p "$corpus"
  set_aside_torn "$corpus"
  step corpus-is-whole
  if [ -d "$work/crashes" ]; then
    set_aside_torn "$work/crashes"
    whole "$work/crashes" | move_into "$artifacts"
    step artifacts-are-kept
    rm -rf "$work/crashes"
  fi
  if [ -d "$work/jobs" ]; then
    # Inputs of jobs that did not come to their end; the folders F… have what libFuzzer knows of these inputs.
    find "$work/jobs" -type d -name 'C*' -print | while read -r folder; do whole "$folder"; done | move_into "$corpus"
    step jobs-are-rescued
    rm -rf "$work/jobs"
  fi
  if [ -d "$work/minimising" ]; then
    find "$work/minimising" -type f | move_into "$corpus"
    step corpus-is-back
    # A file of the same name has come in between. If it has other contents, both are kept.
    find "$work/minimising" -type f -exec sha1sum {} + | while read -r sum file; do
      mv --force -- "$file" "$corpus/$sum"
    done
    rm -rf "$work/minimising"
  fi
  rm -rf "$work/minimised" "$work/superfluous" "$work/finding"
  step recovered
}

interrupted() {
  trap '' INT TERM HUP
  stop_leftovers
  recover
  echo "$script: stopped; the same command goes on" >&2
  exit 130
}

# The arguments that a target runs with, here as elsewhere.
mapfile -t flags < <(section "$(options_of "$target")" libfuzzer | sed 's/^/-/')
# libFuzzer writes a crash that it finds again over itself, and may be killed while it does; so not where artifacts are kept.
flags+=("-artifact_prefix=$work/crashes/")
flags+=(-dict=ci/oss-fuzz/wasm.dict)
asan=$(section "$(options_of "$target")" asan | paste -sd:)
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}$asan"
# What `switchback` must be told to do what the target does; and whether bytes that begin as a module are one for the target, so
# that `switchback` has something to say of them.
lineup=()
takes_modules=1
case $target in
  wasmi) lineup=(--engines 'oracle,wasmi') ;;
  configs) lineup=(--engines 'compiled,compiled') ;;
  wasmtime) lineup=(--engines 'compiled,wasmtime,oracle') ;;
  # An embedder's operations; and what the generator makes a module of, whatever it begins with.
  api | oracle) takes_modules= ;;
esac

build() {
  if [ -n "${SWITCHBACK_FUZZER:-}" ]; then
    fuzzer=$SWITCHBACK_FUZZER
  else
    RUSTC_WRAPPER=$PWD/ci/rustc-coverage-where-it-counts.sh \
      cargo_fuzz build --release --debug-assertions --sanitizer "$sanitizer" "${optional[@]}" "$target" >&2 9>&- ||
      refuse "$target cannot be built"
    # A copy, so that builds during the run do not change what runs.
    fuzzer=$work/fuzzer
    cp "$(fuzz_binaries)/$target" "$fuzzer.new"
    mv "$fuzzer.new" "$fuzzer"
  fi
  if [ -n "${SWITCHBACK:-}" ]; then
    switchback=$SWITCHBACK
  else
    cargo build --release --package switchback "${optional[@]}" >&2 9>&- || refuse "switchback cannot be built"
    switchback=$work/switchback
    cp target/release/switchback "$switchback.new"
    mv "$switchback.new" "$switchback"
  fi
}

# fuzz SECONDS
fuzz() {
  local log=$work/log/fuzz executions
  mkdir -p "$work/jobs" "$work/crashes"
  step fuzzing
  # The status is that of the last job, and says nothing: jobs that crash are what this is for.
  TMPDIR=$work/jobs run "$fuzzer" -fork="$jobs" -ignore_crashes=1 -ignore_timeouts=1 -ignore_ooms=1 \
    -max_total_time="$1" "${flags[@]}" "$corpus" corpus/seeds >"$log" 2>&1 || true
  step fuzzed
  executions=$(sed -n 's/^#\([0-9]*\): cov: .*/\1/p' "$log" | tail -n 1)
  if [ "${executions:-0}" = 0 ]; then
    tail -n 20 "$log" >&2
    refuse "$target does not run; all that it says is in $log"
  fi
  recover
  say "$executions executions; $(grep '^#.*: cov: ' "$log" | tail -n 1 | sed 's/^#[0-9]*: //; s/ time: .*//')"
}

# Keeps, of the inputs with the same coverage, the smallest. The corpus is whole at every moment, in the corpus's folder
# or in the one to which `recover` looks; what is put in the corpus meanwhile stays.
minimise() {
  local log=$work/log/minimise before after path
  before=$(find "$corpus" -type f | wc -l)
  [ "$before" -gt 0 ] || return 0
  mkdir "$work/minimised"
  step minimising
  mv --no-target-directory "$corpus" "$work/minimising"
  step corpus-is-set-aside
  mkdir "$corpus"
  step corpus-is-empty
  mkdir -p "$work/jobs" "$work/crashes"
  if ! TMPDIR=$work/jobs run "$fuzzer" -merge=1 "${flags[@]}" "$work/minimised" "$work/minimising" >"$log" 2>&1 ||
    [ -n "$(torn "$work/minimised")" ] || [ -z "$(whole "$work/minimised")" ]; then
    say "the corpus could not be minimised and stays as it was; $log says why"
    recover
    return
  fi
  step minimised
  whole "$work/crashes" | move_into "$artifacts"
  # libFuzzer leaves out inputs on which the target does not come back. They are findings.
  sed -n "s/^MERGE-INNER: '\(.*\)' caused a failure at the previous merge step$/\1/p" "$log" | sort -u |
    while read -r path; do
      keep_as_artifact "$path"
    done
  step failures-are-kept
  whole "$work/minimised" | move_into "$corpus"
  step corpus-is-filled
  # From here on the larger corpus is no longer the one.
  mv --no-target-directory "$work/minimising" "$work/superfluous"
  step corpus-is-minimised
  after=$(find "$corpus" -type f | wc -l)
  recover
  say "the corpus has $after inputs; there were $before"
}

# Makes a file an artifact, unless it is one.
keep_as_artifact() {
  local sum
  sum=$(sha1sum <"$1" | cut -d' ' -f1)
  [ -z "$(find "$artifacts" -name "*-$sum" -print -quit)" ] || return 0
  cp -- "$1" "$work/artifact"
  mv -- "$work/artifact" "$artifacts/crash-$sum"
}

new_findings=0

# A finding for each artifact that has none.
make_findings() {
  local artifact name path text
  for artifact in "$artifacts"/*; do
    name=${artifact##*/}
    case $name in
      '*' | slow-unit-*) continue ;;
    esac
    [ ! -e "$findings/$name" ] || continue
    rm -rf "$work/finding"
    mkdir "$work/finding"
    step finding
    make_finding "$artifact" "$work/finding"
    # Commands in the reports name files where they will be.
    for path in "$work/finding"/*.{txt,html,log}; do
      [ -f "$path" ] || continue
      text=$(<"$path")
      printf '%s\n' "${text//"$work/finding"/"$findings/$name"}" >"$path"
    done
    step finding-is-made
    mv --no-target-directory "$work/finding" "$findings/$name"
    step finding-is-kept
    new_findings=$((new_findings + 1))
    say "$findings/$name: $(cat "$findings/$name/kind")"
  done
}

# How many findings of a kind are reduced. More of them show nothing new, and a bug that is found often would leave no time to fuzz.
reduced_of_a_kind=3

# make_finding ARTIFACT FOLDER
make_finding() {
  local artifact=$1 folder=$2 name=${1##*/} status=0 case
  local id=$target-${name##*-}
  id=${id:0:$((${#target} + 13))}
  if [ -n "$takes_modules" ] && [ "$(head -c 4 "$artifact" | od -An -tx1)" = ' 00 61 73 6d' ]; then
    case=$folder/case.wasm
    cp -- "$artifact" "$case"
    run "$switchback" diff "${lineup[@]}" --html "$folder/report.html" "$case" >"$folder/report.txt" 2>&1 || status=$?
    if [ "$status" = 1 ]; then
      sed -n 's/^.*: divergence \([^ ]*\) in .*/\1/p' "$folder/report.txt" | head -n 1 >"$folder/kind"
      [ -s "$folder/kind" ] || echo divergence >"$folder/kind"
      if reduced_often "$folder/kind"; then
        echo "there are $reduced_of_a_kind reduced findings of this kind already" >"$folder/not-reduced"
      elif run "$switchback" regress "${lineup[@]}" "$case" --name "$id" --out "$folder" >"$folder/regress.log" 2>&1; then
        :
      elif run "$switchback" reduce "${lineup[@]}" "$case" --output "$folder/$id.wasm" >"$folder/$id.wat" 2>"$folder/reduce.log"; then
        :
      else
        rm -f "$folder/$id.wasm" "$folder/$id.wat"
        echo "regress.log and reduce.log say why" >"$folder/not-reduced"
      fi
      return 0
    fi
  else
    cp -- "$artifact" "$folder/case"
    case=$folder/case
  fi
  # libFuzzer insists on the folder, though nothing is written there.
  mkdir -p "$work/crashes"
  # Nothing that the engines show: it is for the target, with what it checks, and its sanitizer.
  echo "${name%%-*}" >"$folder/kind"
  run "$fuzzer" "${flags[@]}" -exact_artifact_path=/dev/null "$case" >"$folder/report.txt" 2>&1 || true
  if reduced_often "$folder/kind"; then
    echo "there are $reduced_of_a_kind reduced findings of this kind already" >"$folder/not-reduced"
  else
    run "$fuzzer" -minimize_crash=1 -max_total_time=60 "${flags[@]}" -exact_artifact_path="$folder/$id" "$case" \
      >"$folder/minimise.log" 2>&1 || true
    # libFuzzer's last attempt may be an input that it could not confirm.
    if [ ! -s "$folder/$id" ] || run "$fuzzer" "${flags[@]}" -exact_artifact_path=/dev/null "$folder/$id" >/dev/null 2>&1; then
      rm -f "$folder/$id"
      echo "minimise.log says why" >"$folder/not-reduced"
    fi
  fi
}

# reduced_often FILE: whether enough findings of the kind that is in FILE are reduced.
reduced_often() {
  local kind count=0
  for kind in "$findings"/*/kind; do
    if [ -e "$kind" ] && [ ! -e "${kind%/*}/not-reduced" ] && cmp -s "$kind" "$1"; then count=$((count + 1)); fi
  done
  [ "$count" -ge "$reduced_of_a_kind" ]
}

trap interrupted INT TERM HUP
touch "$work/alive"
stop_leftovers
step leftovers-are-gone
recover
build
make_findings

end=
[ -z "$hours" ] || end=$(awk -v now="$SECONDS" -v hours="$hours" 'BEGIN { printf "%d", now + hours * 3600 }')
while :; do
  seconds=$round
  if [ -n "$end" ] && [ $((end - SECONDS)) -lt "$seconds" ]; then seconds=$((end - SECONDS)); fi
  # For libFuzzer, 0 is for ever.
  if [ "$seconds" -lt 1 ]; then seconds=1; fi
  fuzz "$seconds"
  minimise
  make_findings
  if [ -n "$end" ] && [ "$SECONDS" -ge "$end" ]; then break; fi
done

if [ "$new_findings" -gt 0 ]; then
  say "$new_findings new findings in $findings; docs/continuous-fuzzing.md says how to go on"
  exit 1
fi
