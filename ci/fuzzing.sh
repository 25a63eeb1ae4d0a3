# shellcheck shell=bash
# What the scripts for fuzzing share; it is sourced, with the repository as the working directory.

# The command that started the script, for errors.
script=ci/${0##*/}

# Ends the script with one clear error.
fail() {
  echo "$script: $*" >&2
  exit 1
}

# The same for what the caller did wrong.
refuse() {
  echo "$script: $*" >&2
  exit 2
}

# Cargo's fuzzing command, with the nightly that is chosen already, or with $SWITCHBACK_NIGHTLY, or with what is called nightly. Not as
# `cargo +nightly fuzz`: OSS-Fuzz's base images have a `cargo` in front that looks at the first word after it.
cargo_fuzz() {
  case ${RUSTUP_TOOLCHAIN:-} in
    nightly*) cargo fuzz "$@" ;;
    *) RUSTUP_TOOLCHAIN=${SWITCHBACK_NIGHTLY:-nightly} cargo fuzz "$@" ;;
  esac
}

# Installs cargo-fuzz where it is not.
install_cargo_fuzz() {
  cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --version 0.13.2 --locked
}

# All fuzz targets that are built without asking for a feature, one a line: what `cargo fuzz list` shows, without cargo-fuzz.
fuzz_targets() {
  awk '
    /^\[/ { if (name) print name; name = ""; inside = ($0 == "[[bin]]") }
    inside && /^name *=/ { gsub(/^name *= *"|" *$/, ""); name = $0 }
    inside && /^required-features/ { inside = 0; name = "" }
    END { if (name) print name }
  ' fuzz/Cargo.toml | sort
}

# is_fuzz_target NAME
is_fuzz_target() {
  fuzz_targets | grep -xF -- "$1" >/dev/null
}

# Fuzz targets that need features, one a line, each with the features after it, separated by commas.
optional_fuzz_targets() {
  awk '
    /^\[/ { inside = ($0 == "[[bin]]"); name = "" }
    inside && /^name *=/ { gsub(/^name *= *"|" *$/, ""); name = $0 }
    inside && /^required-features/ { gsub(/^[^[]*\[|[]" ]/, ""); print name, $0 }
  ' fuzz/Cargo.toml | sort
}

# The folder in which cargo-fuzz leaves its binaries.
fuzz_binaries() {
  cargo metadata --no-deps --format-version 1 |
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1\/x86_64-unknown-linux-gnu\/release/p'
}

# options_of TARGET: the file with the options of a target.
options_of() {
  if [ -f "ci/oss-fuzz/$1.options" ]; then
    echo "ci/oss-fuzz/$1.options"
  else
    echo ci/oss-fuzz/default.options
  fi
}

# section FILE NAME: the lines `key=value` of a section of an options file.
section() {
  awk -v wanted="[$2]" '
    { sub(/[[:space:]]+$/, "") }
    /^[#;]/ || /^$/ { next }
    /^\[/ { inside = ($0 == wanted); next }
    inside { sub(/[[:space:]]*=[[:space:]]*/, "="); print }
  ' "$1"
}
