#!/usr/bin/env bash
# The same build as OSS-Fuzz's; called with the repository as the working directory.
exec bash -eux ci/oss-fuzz/build.sh
