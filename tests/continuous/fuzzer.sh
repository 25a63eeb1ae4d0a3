#!/usr/bin/env bash
# Stands in for a fuzz target built with libFuzzer: the same arguments, the same files at the same places, written as
# libFuzzer writes them, that is in place, so that a kill leaves half a file. An input's coverage is its first line.
#
# What was found and written to the end is noted in $EMITTED (`input COVERAGE` and `artifact NAME`): what must not get lost.
set -euo pipefail

fork=
merge=
minimise=
exact=
prefix=./
paths=()
for argument in "$@"; do
  case $argument in
    -fork=*) fork=1 ;;
    -merge=1) merge=1 ;;
    -minimize_crash=1) minimise=1 ;;
    -exact_artifact_path=*) exact=${argument#*=} ;;
    -artifact_prefix=*) prefix=${argument#*=} ;;
    -*) ;;
    *) paths+=("$argument") ;;
  esac
done

if [ ! -d "$prefix" ]; then
  echo "ERROR: The required directory \"$prefix\" does not exist" >&2
  exit 1
fi

# write TEXT PATH: in place, in two halves.
write() {
  local half=$((${#1} / 2))
  printf %s "${1:0:half}" >"$2"
  "$SWITCHBACK_STEP_HOOK" half-written
  printf %s "${1:half}" >>"$2"
}

name() {
  local sum
  sum=$(printf %s "$1" | sha1sum)
  echo "${sum%% *}"
}

if [ -n "$fork" ]; then
  if [ -n "${LINGER:-}" ]; then
    # Outlives the script that started it, and goes on writing.
    echo "input rubbish" >>"$EMITTED"
    echo rubbish >"${paths[0]}/rubbish"
    echo $$ >"$LINGER"
    while [ -d "${LINGER%/*}" ]; do
      # The folder is away while the corpus is being minimised.
      touch "${paths[0]}/rubbish" || true
      sleep 0.02
    done
  fi
  temporary=$TMPDIR/libFuzzerTemp.FuzzWithFork$$.dir
  mkdir -p "$temporary/C1" "$temporary/F1"
  round=$(wc -l <"$EMITTED")
  for number in 1 2; do
    coverage="coverage of $round-$number"
    for filler in '' ' that says the same in more words'; do
      text="$coverage"$'\n'"input$filler"
      write "$text" "$temporary/C1/$(name "$text")"
      echo "input $coverage" >>"$EMITTED"
    done
  done
  # A crash of this round, and one that every round finds, and writes, again.
  for text in "crash of $round" 'crash of all'; do
    write "$text" "${prefix}crash-$(name "$text")"
    echo "artifact crash-$(name "$text")" >>"$EMITTED"
  done
  for path in "$temporary"/C1/*; do
    write "$(cat "$path")" "${paths[0]}/${path##*/}"
  done
  rm -rf "$temporary"
  echo '#100: cov: 7 ft: 7 corp: 4 exec/s: 9 oom/timeout/crash: 0/0/1 time: 1s job: 1 dft_time: 0'
elif [ -n "$merge" ]; then
  # Someone else puts an input into the corpus while it is being minimised.
  echo "coverage of somebody" >"$CORPUS/by-hand-$(wc -l <"$EMITTED")"
  echo "input coverage of somebody" >>"$EMITTED"
  declare -A smallest=() sizes=()
  for path in "${paths[1]}"/*; do
    text=$(<"$path")
    coverage=${text%%$'\n'*}
    if [ ${#text} -lt "${sizes[$coverage]:-1000}" ]; then
      smallest[$coverage]=$text
      sizes[$coverage]=${#text}
    fi
  done
  written=0
  for text in "${smallest[@]}"; do
    path=${paths[0]}/$(name "$text")
    # Not all, or there were as many steps as there are inputs.
    if [ $((written += 1)) -le 2 ]; then
      write "$text" "$path"
    else
      printf %s "$text" >"$path"
    fi
  done
elif [ -n "$minimise" ]; then
  write smaller "$exact"
else
  echo "the report of ${paths[0]}"
  exit 77
fi
