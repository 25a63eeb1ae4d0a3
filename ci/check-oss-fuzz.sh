#!/usr/bin/env bash
# Builds the fuzz targets as OSS-Fuzz does, but without Docker, and applies the rules by which it accepts a build (those of
# `bad_build_check`, and what it expects of the files beside the binaries). Prints a line for each target that keeps them all and
# one error for each rule that is broken.
#
# usage: ci/check-oss-fuzz.sh [--out DIR] [--built] [TARGET...]
#
#   --out DIR   have the build in DIR, and leave it there (default: a temporary folder)
#   --built     build nothing: check what an earlier run left in DIR
#
# The build has the variables that the base images set (SRC, OUT, WORK, SANITIZER, RUSTFLAGS, …). What differs: the compiler for
# libFuzzer's C++ is the system's, so libFuzzer is the one that the crate libfuzzer-sys brings. Cargo's target folder is the
# usual one, so that a second build is quick.
#
# Exit status: 0 all rules are kept, 1 some are broken, 2 usage, or the build failed.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/fuzzing.sh

usage='usage: ci/check-oss-fuzz.sh [--out DIR] [--built] [TARGET...]'
out=
built=
targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --out)
      [ $# -ge 2 ] || refuse "$usage"
      out=$2
      shift
      ;;
    --built) built=1 ;;
    -*) refuse "$usage" ;;
    *)
      is_fuzz_target "$1" || refuse "no target is called '$1'; there are: $(fuzz_targets | xargs)"
      targets+=("$1")
      ;;
  esac
  shift
done
[ -z "$built" ] || [ -n "$out" ] || refuse "--built needs --out"
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(fuzz_targets)
for tool in objdump nm unzip zip; do
  command -v "$tool" >/dev/null || refuse "$tool is not there"
done

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
if [ -n "$out" ]; then
  mkdir -p "$out"
  out=$(realpath "$out")
else
  out=$temporary/out
  mkdir "$out"
fi

if [ -z "$built" ]; then
  install_cargo_fuzz
  mkdir "$temporary/src" "$temporary/work"
  # Cargo resolves the link, so nothing is built twice for a new place.
  ln -s "$PWD" "$temporary/src/switchback"
  cp ci/oss-fuzz/build.sh "$temporary/src/build.sh"
  log=$temporary/build.log
  (
    export SRC=$temporary/src OUT=$out WORK=$temporary/work
    export SANITIZER=address FUZZING_ENGINE=libfuzzer ARCHITECTURE=x86_64 FUZZING_LANGUAGE=rust
    export RUSTFLAGS="--cfg fuzzing -Zsanitizer=address -Cdebuginfo=1 -Cforce-frame-pointers"
    export CFLAGS="-O1 -fno-omit-frame-pointer -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION"
    export CXXFLAGS=$CFLAGS
    cd "$SRC/switchback"
    bash -eux "$SRC/build.sh"
  ) >"$log" 2>&1 || {
    tail -n 40 "$log" >&2
    refuse "ci/oss-fuzz/build.sh failed"
  }
fi

# What runs must not depend on where it was built.
moved=$temporary/not-out
cp -r "$out" "$moved"

failures=0
broken() {
  echo "$script: $*" >&2
  failures=$((failures + 1))
}

# What base-runner sets; a target's own options come after it.
asan_of_runner=alloc_dealloc_mismatch=0:allocator_may_return_null=1:allocator_release_to_os_interval_ms=500
asan_of_runner+=:check_malloc_usable_size=0:detect_container_overflow=1:detect_odr_violation=0:detect_leaks=1
asan_of_runner+=:detect_stack_use_after_return=1:fast_unwind_on_fatal=0:handle_abort=1:handle_segv=1:handle_sigill=1
asan_of_runner+=:max_uar_stack_size_log=16:print_scariness=1:quarantine_size_mb=10:strict_memcmp=1:symbolize=1
asan_of_runner+=:use_sigaltstack=1:dedup_token_length=3

# run_target TARGET OPTIONS_FILE|'' ARGUMENT...: runs it as base-runner does; the output is in $output, the status that of the target.
output=$temporary/output
run_target() {
  local target=$1 options=$2 asan=$asan_of_runner arguments=()
  shift 2
  if [ -n "$options" ]; then
    asan+=:$(section "$options" asan | paste -sd:)
    mapfile -t arguments < <(section "$options" libfuzzer | sed 's/^/-/')
  fi
  (
    cd "$moved"
    unset SRC OUT WORK RUSTFLAGS
    ASAN_OPTIONS=$asan "./$target" -rss_limit_mb=2560 -timeout=25 "$@" "${arguments[@]}"
  ) >"$output" 2>&1 </dev/null
}

shown() {
  tail -n 30 "$output" | sed 's/^/    /' >&2
}

check_binary() {
  local target=$1 path=$moved/$1 header calls
  [[ $target =~ ^[A-Za-z0-9_-]+$ ]] || broken "$target: a target's name has letters, digits, '_' and '-'"
  if [ ! -x "$path" ] || [ ! -f "$path" ]; then
    broken "$target: there is no such program in the build"
    return 1
  fi
  # The magic of ELF, and at 18 the machine: 3e is x86-64.
  header=$(od -An -tx1 -N20 "$path" | tr -d ' \n')
  if [[ ! $header =~ ^7f454c46.{28}3e00$ ]]; then
    broken "$target: it is no program for x86-64"
    return 1
  fi
  grep -q LLVMFuzzerTestOneInput "$path" || broken "$target: it has no LLVMFuzzerTestOneInput, so it is not taken for a fuzz target"
  # Reading stops at the thousandth.
  calls=$(objdump -d --no-show-raw-insn "$path" 2>/dev/null | grep -E -m 1000 -c 'callq?[[:space:]]+[0-9a-f]+[[:space:]]+<__asan') || true
  [ "$calls" -ge 1000 ] || broken "$target: $calls calls of AddressSanitizer, fewer than 1000: it is not built with it"
  ! nm "$path" 2>/dev/null | grep -qE ' (__msan_init|__dfsan_init|__tsan_init)$' || broken "$target: another sanitizer is linked in"
}

check_runs() {
  local target=$1 options=$2 runs counters
  for runs in without with; do
    local file=
    [ "$runs" = without ] || file=$options
    if ! run_target "$target" "$file" -seed=1337 -runs=4 || ! grep -q '^Done 4 runs' "$output"; then
      broken "$target: it does not make four runs $runs its options from another folder:"
      shown
      return 1
    fi
  done
  if grep -q 'WARNING: unrecognized flag' "$output"; then
    broken "$target: $(grep 'WARNING: unrecognized flag' "$output" | head -n 1)"
  fi
  if grep -q 'no interesting inputs were found' "$output"; then
    broken "$target: it is not instrumented for coverage"
  fi
  counters=$(sed -nE 's/^INFO: Loaded [0-9]+ modules? +\(([0-9]+) inline 8-bit counters\).*/\1/p' "$output")
  if [ "${counters:-0}" -lt 100 ]; then
    broken "$target: ${counters:-0} coverage counters, fewer than 100"
  fi
  summary="4 runs, ${counters:-0} counters"
}

check_options() {
  local target=$1 options=$2 line number=0 inside='' key
  if [ ! -f "$options" ]; then
    broken "$target.options: it is not there"
    return
  fi
  while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    case $line in
      '' | '#'*) ;;
      '[libfuzzer]' | '[asan]') inside=$line ;;
      *)
        [[ -n $inside && $line =~ ^[a-z_]+\ *=\ *[^\ ]+$ ]] || broken "$target.options:$number: neither a section nor an option in one: $line"
        ;;
    esac
  done <"$options"
  for line in allow_user_segv_handler=1 handle_segv=1 handle_sigill=0 handle_sigfpe=1; do
    section "$options" asan | grep -qxF "$line" || broken "$target.options: [asan] has no $line"
  done
  for key in timeout rss_limit_mb max_len; do
    section "$options" libfuzzer | grep -qxE "$key=[0-9]+" || broken "$target.options: [libfuzzer] has no $key"
  done
}

check_seeds() {
  local target=$1 options=$2 archive=$moved/$1_seed_corpus.zip seeds=$temporary/seeds limit large
  rm -rf "$seeds"
  if ! unzip -tqq "$archive" >/dev/null 2>&1 || ! unzip -qq "$archive" -d "$seeds" 2>/dev/null; then
    broken "${archive##*/}: it is not there, or no archive that can be read"
    return
  fi
  limit=$(section "$options" libfuzzer | sed -n 's/^max_len=//p')
  large=$(find "$seeds" -type f -size +"${limit:-0}"c -printf '%P ')
  [ -z "$large" ] || broken "${archive##*/}: larger than max_len: $large"
  # The same again: a target with an input that fails in its corpus is of no use.
  if ! run_target "$target" "$options" -runs=0 "$seeds"; then
    broken "${archive##*/}: $target fails on a seed:"
    shown
  fi
  summary+=", $(find "$seeds" -type f | wc -l) seeds"
}

check_dictionary() {
  local target=$1 dictionary=$moved/$1.dict entries
  [ -f "$dictionary" ] || return 0
  run_target "$target" '' -runs=0 -dict="$dictionary" || true
  entries=$(sed -nE 's/^Dictionary: ([0-9]+) entries$/\1/p' "$output")
  if [ "${entries:-0}" = 0 ]; then
    broken "$target.dict: $(grep -m 1 ParseDictionaryFile "$output" || echo 'libFuzzer reads nothing from it')"
  fi
  summary+=", ${entries:-0} words"
}

for target in "${targets[@]}"; do
  before=$failures
  summary=
  options=$moved/$target.options
  check_options "$target" "$options"
  if check_binary "$target" && check_runs "$target" "$options"; then
    check_seeds "$target" "$options"
    check_dictionary "$target"
  fi
  [ "$failures" != "$before" ] || echo "$target: $summary"
done

if [ "$failures" -gt 0 ]; then
  fail "$failures rules are broken"
fi
