#!/bin/sh
# No process-wide state but in the files that docs/ARCHITECTURE.md names: whatever else the library keeps can be
# written by nobody, or is each thread's own. Uses TEST_SOURCE and TEST_BUILD.
set -eu
cd "$TEST_SOURCE"
library=$TEST_BUILD/libmuster.a
found=$(objdump -t "$library" | awk '
    / file format / { object = $1; sub(/:$/, "", object) }
    { for (i = 2; i < NF; i++) if ($i ~ /^\.(data|bss)(\..*)?$|^\*COM\*$/ && $i !~ /^\.data\.rel\.ro/ && $(i - 1) ~ /O$|^[gl]$/ &&
        $NF !~ /^\./) print object }' | sort -u)
allowed=$(sed -n 's/^7\. No process-wide state but in \(.*\)/\1/p' docs/ARCHITECTURE.md | grep -oE '[a-z_]+\.c' | sed 's/$/.o/' | sort -u)
if [ "$found" != "$allowed" ]; then
    echo "these have state of the process:" $found
    echo "docs/ARCHITECTURE.md names:" $allowed
    exit 1
fi
echo "state of the process in" $found
