#!/usr/bin/env bash
# A RUSTC_WRAPPER for fuzzing builds: coverage instrumentation stays on what is under test (the engine and the oracle) and is
# left out everywhere else. The generator and its libraries run for every case, and say nothing about the engines; instrumented,
# they cost more than the engines themselves. Cranelift has ten times the code of the engine, so nearly every case would show
# something new in it, whatever it does with stacks. AddressSanitizer is left as cargo-fuzz sets it.
#
# Where RUSTFLAGS asks for another level of coverage than cargo-fuzz does, the last one counts; LLVM takes only one.
set -eu
crate=
previous=
level=
for argument in "$@"; do
  if [ "$previous" = --crate-name ]; then crate=$argument; fi
  case $argument in -Cllvm-args=-sanitizer-coverage-level=*) level=$argument ;; esac
  previous=$argument
done
instrumented=
case $crate in
  switchback_engine | switchback_oracle | differential | configs | compile | oracle | oracle_bytes | api) instrumented=1 ;;
esac
kept=()
for argument in "$@"; do
  case $argument in
    -Cllvm-args=-sanitizer-coverage-level=*) ;;
    -Cpasses=sancov-module | -Cllvm-args=-sanitizer-coverage-*) [ -z "$instrumented" ] || kept+=("$argument") ;;
    *) kept+=("$argument") ;;
  esac
done
if [ -n "$instrumented" ] && [ -n "$level" ]; then kept+=("$level"); fi
exec "${kept[@]}"
