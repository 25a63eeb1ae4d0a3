#!/usr/bin/env bash
# A RUSTC_WRAPPER for fuzzing builds: coverage instrumentation stays on what is under test (the engine and the oracle) and is
# left out everywhere else. The generator and its libraries run for every case, and say nothing about the engines; instrumented,
# they cost more than the engines themselves. Cranelift has ten times the code of the engine, so nearly every case would show
# something new in it, whatever it does with stacks. AddressSanitizer is left as cargo-fuzz sets it.
set -eu
crate=
previous=
for argument in "$@"; do
  if [ "$previous" = --crate-name ]; then crate=$argument; fi
  previous=$argument
done
case $crate in
  switchback_engine | switchback_oracle | differential | configs | compile | oracle | oracle_bytes | api)
    exec "$@"
    ;;
esac
kept=()
for argument in "$@"; do
  case $argument in
    -Cpasses=sancov-module | -Cllvm-args=-sanitizer-coverage-*) ;;
    *) kept+=("$argument") ;;
  esac
done
exec "${kept[@]}"
