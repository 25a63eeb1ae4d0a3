#!/usr/bin/env bash
# Builds all fuzz targets, and puts what OSS-Fuzz and ClusterFuzzLite want into $OUT: for each target its binary, the
# options, the seed corpus and the dictionary. Their base images call it with the repository as the working directory;
# ci/check-oss-fuzz.sh does without them.
#
# Environment, as base images set it: OUT, SANITIZER (address or coverage), RUSTFLAGS and others that cargo reads.
set -euo pipefail
. ci/fuzzing.sh

if [ "${SANITIZER:-address}" != coverage ]; then
  # (In builds for coverage, the base image's `cargo` builds without libFuzzer's instrumentation.)
  export RUSTC_WRAPPER=$PWD/ci/rustc-coverage-where-it-counts.sh
fi
# With the checks of debug builds: the engine and the oracle check themselves in them.
cargo_fuzz build --release --debug-assertions

binaries=$(fuzz_binaries)
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
for target in $(fuzz_targets); do
  cp "$binaries/$target" "$OUT/$target"
  cp "$(options_of "$target")" "$OUT/$target.options"
  cp ci/oss-fuzz/wasm.dict "$OUT/$target.dict"
done

# One corpus for all: a module is an input of every target. Scripts are not, so the modules in them are not in it.
find corpus/seeds -type f -name '*.wasm' -exec cp -t "$seeds" {} +
for target in $(fuzz_targets); do
  archive=$OUT/${target}_seed_corpus.zip
  rm -f "$archive"
  (cd "$seeds" && find . -type f | LC_ALL=C sort | zip --quiet -X "$archive" -@)
done
