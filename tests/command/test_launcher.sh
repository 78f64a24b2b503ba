#!/bin/sh
# The launcher from outside, where a shell cannot: readers that do not read, signals and who gets them, terminals.
command -v python3 >/dev/null || exit 77
exec python3 -B "$TEST_SOURCE/tests/command/launcher.py"
