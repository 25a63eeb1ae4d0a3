#!/usr/bin/env bash
# Called at every step of ci/fuzz.sh and of what stands in for the programs it runs. Notes the step in $STEPS, and kills the
# whole run (its process group) when it is the one that $KILL_AT counts.
set -eu
echo "$1" >>"$STEPS"
mapfile -t done_steps <"$STEPS"
if [ ${#done_steps[@]} -eq "${KILL_AT:-0}" ]; then
  kill -KILL 0
fi
