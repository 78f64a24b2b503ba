#!/bin/sh
# Each mutant of tests/mutants.txt still applies to the code. scripts/mutate, which takes an hour, sees them found.
set -eu
cd "$TEST_SOURCE"
PYTHONDONTWRITEBYTECODE=1 python3 scripts/mutate --check

# The check itself must be able to fail.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '== a text that is not there\nfile shm/wait/wait.c\n- no such text\ntest test_wait\n' >"$work/mutants.txt"
if MUTANTS=$work/mutants.txt PYTHONDONTWRITEBYTECODE=1 python3 scripts/mutate --check >/dev/null 2>&1; then
    echo "the check does not see a mutant that no longer applies"
    exit 1
fi
