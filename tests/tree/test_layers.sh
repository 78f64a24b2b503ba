#!/bin/sh
# Includes go down only: every #include "..." of shm/, src/, tools/, bench/, bindings/, examples/ and tests/backend against
# layers.txt.
# Modules, a .c and a .h of one name, never include each other in a circle, on one layer either; nor do rooms, which are
# folders. A header serves one file.
# Also: src/api knows no shared memory, shm/ never sees a dtype or an op, and system #ifdefs stay in shm/port/.
set -eu
cd "$TEST_SOURCE"

# The checks below read includes of one spelling: "FOLDER/.../FILE" from the top of the tree, or a file beside.
spelled_otherwise() { # spelled_otherwise FILES...: prints the includes that would escape them
    grep -HnE '^[[:space:]]+#[[:space:]]*include|^#[[:space:]]+include|^#include([[:space:]]{2,}|[^[:space:]])|^#include ["<]([^">]*/)?\.\.?/' "$@"
}

check() { # check FILES...: prints what breaks a layer, and, with whole=1, allowances that nothing needs
    grep -HnoE '^#include ["<](shm|src|tools|muster|tests|bench|examples|demo)/[^">]*[">]|^#include "[^"/]*"' "$@" |
        awk -F: -v table=tests/tree/layers.txt -v whole="${whole-}" '
    BEGIN {
        while ((getline line < table) > 0) {
            n = split(line, w, /[ \t]+/)
            if (w[1] == "+") for (i = 3; i <= n; i++) needless[w[2] " " w[i]] = allows[w[2], w[i]] = 1
            if (w[1] !~ /^[0-9]+$/) continue
            modules++
            for (i = 2; i <= n; i++) {
                if (w[i] == "pure" || w[i] == "public") kind[modules] = w[i]
                else if (w[i] != "") { layer[w[i]] = w[1] + 0; module[w[i]] = modules }
            }
        }
    }
    function place(path,   stem) { # the longest entry of the table that names the file or its folder
        stem = path; sub(/\.(c|h|cc|cpp)$/, "", stem)
        while (stem != "" && !(stem in layer)) if (!sub(/\/[^\/]*$/, "", stem)) stem = ""
        return stem
    }
    function is_allowed(file, stem,   room) { # by a line for the folder of the file, or for one above it
        sub(/\.(c|h)$/, "", stem)
        for (room = file; sub(/\/[^\/]*$/, "", room);)
            if ((room, stem) in allows) { delete needless[room " " stem]; return 1 }
        return 0
    }
    {
        file = $1; included = $3
        sub(/^#include ["<]/, "", included); sub(/[">]$/, "", included)
        if (included ~ /^muster\//) included = "include/" included
        if (included !~ /\//) { dir = file; sub(/[^\/]*$/, "", dir); included = dir included }
        from = place(file); to = place(included)
        if (from == "") { print file ": is not in layers.txt"; bad = 1; next }
        if (to == "") { print file ":" $2 ": includes " included ", which is not in layers.txt"; bad = 1; next }
        if (module[from] == module[to]) next
        allowed = layer[to] < layer[from]
        if (kind[module[from]] == "pure") allowed = layer[to] <= 1
        if (kind[module[from]] == "public") allowed = to == "include/muster"
        if (!allowed && !is_allowed(file, included)) { print file ":" $2 ": " from " (layer " layer[from] ") includes " included " (layer " layer[to] ")"; bad = 1 }
    }
    END {
        if (whole) for (one in needless) { print "tests/tree/layers.txt allows what nothing needs: " one; bad = 1 }
        exit bad
    }'
}

# circles ENDING FILES...: prints what includes each other, directly or by way of others. The ending, an expression that is
# cut off from a path, says what: modules or rooms.
of_file='[.](c|h|cc|cpp)$'
of_room='/[^/]*$'
circles() {
    ending=$1
    shift
    grep -HoE '^#include "[^"]*"' "$@" | awk -F: -v ending="$ending" '
    function module(path) { sub(ending, "", path); return path }
    {
        included = $2
        sub(/^#include "/, "", included); sub(/"$/, "", included)
        if (included !~ /\//) { dir = $1; sub(/[^\/]*$/, "", dir); included = dir included }
        if (module($1) != module(included)) print module($1), module(included)
    }' | tsort 2>&1 >/dev/null
}

# The checks themselves must be able to fail.
canary=$(mktemp -d)
trap 'rm -rf "$canary"' EXIT
for line in '#include "../../shm/wait/wait.h"' '#  include "shm/wait/wait.h"' ' #include "shm/wait/wait.h"' '#include"shm/wait/wait.h"' \
    '#include "shm/wait/../port/os.h"'; do
    echo "$line" >"$canary/x.c"
    if ! spelled_otherwise "$canary/x.c" >/dev/null; then
        echo "the check does not see an include spelled otherwise: $line"
        exit 1
    fi
done
printf '#include "shm/wait/wait.h"\n#include <stdio.h>\n#include "own.h"\n' >"$canary/x.c"
if spelled_otherwise "$canary/x.c"; then
    echo "the check refuses includes that are spelled well"
    exit 1
fi
mkdir -p "$canary/shm/wait" "$canary/tests/tree"
cp tests/tree/layers.txt "$canary/tests/tree/"
printf '#include "src/onehost/group/group.h"\n' >"$canary/shm/wait/wait.c"
if (cd "$canary" && check shm/wait/wait.c /dev/null) >/dev/null; then
    echo "the check does not see an include that goes up"
    exit 1
fi
while read -r file included; do
    mkdir -p "$canary/$(dirname "$file")"
    printf '#include "%s"\n' "$included" >"$canary/$file"
    if (cd "$canary" && check "$file" /dev/null) >/dev/null; then
        echo "the check does not see that $file includes $included"
        exit 1
    fi
done <<'END'
tests/backend/x.c src/api/enter.h
tests/backend/x.c src/hosts/group.h
src/wire/x.c src/onehost/group/group.h
src/hosts/x.c src/onehost/group/group.h
bindings/malloc/x.c src/onehost/group/group.h
bindings/malloc/x.c src/pure/config.h
tools/muster/x.c shm/port/cgroup.h
tools/muster/x.c shm/port/cpu_kind.h
tools/muster/doctor/x.c shm/port/os.h
bindings/mpi/x.c src/mpi/plugin.h
END
while read -r file included; do
    printf '#include "%s"\n' "$included" >"$canary/$file"
    if ! (cd "$canary" && check "$file" /dev/null); then
        echo "the check refuses what layers.txt allows"
        exit 1
    fi
done <<'END'
tools/muster/doctor/x.c shm/port/cgroup.h
src/wire/x.c shm/wait/wait.h
END
if (cd "$canary" && whole=1 check tools/muster/doctor/x.c /dev/null) >/dev/null; then
    echo "the check does not see an allowance that nothing needs"
    exit 1
fi
printf '#include "shm/wait/bell.h"\n' >"$canary/shm/wait/door.c" # door -> bell -> house -> door
printf '#include "house.h"\n' >"$canary/shm/wait/bell.h"
printf '#include "shm/wait/door.h"\n' >"$canary/shm/wait/house.h"
if (cd "$canary" && circles "$of_file" shm/wait/*.[ch]) >/dev/null; then
    echo "the check does not see modules that include each other in a circle"
    exit 1
fi
printf '#include "shm/wait/door.h"\n' >"$canary/shm/wait/bell.h"
printf '#include "shm/wait/house.h"\n' >"$canary/shm/wait/door.c"
: >"$canary/shm/wait/house.h"
if ! (cd "$canary" && circles "$of_file" shm/wait/bell.h shm/wait/door.c shm/wait/house.h) >/dev/null; then
    echo "the check sees a circle where there is none"
    exit 1
fi

if (cd "$canary" && circles "$of_room" shm/wait/*.[ch]) >/dev/null 2>&1; then :; else
    echo "the check sees a circle of rooms where there is one room"
    exit 1
fi
mkdir "$canary/shm/port"
printf '#include "shm/wait/house.h"\n' >"$canary/shm/port/lock.h"
printf '#include "shm/port/key.h"\n' >"$canary/shm/wait/house.h"
if (cd "$canary" && circles "$of_room" shm/*/*.[ch]) >/dev/null; then
    echo "the check does not see rooms that include each other"
    exit 1
fi

# The seam that is src/backend.h: what is above it, and the second backend, which shows that it says all that a
# backend needs to know, see nothing of shared memory, nor of the backend that has it. The table allows src/api a
# little more: layers 0 and 1.
crosses() { # crosses FILES...: prints what does
    grep -HnE '^#include ["<](shm|src/(onehost|launch))/' "$@"
}
mkdir -p "$canary/src/api"
printf '#include "shm/port/cgroup.h"\n' >"$canary/src/api/x.c"
if ! crosses "$canary/src/api/x.c" >/dev/null; then
    echo "the check does not see an include that crosses the seam"
    exit 1
fi
# The seam itself has these for both its sides; they know no shared memory.
# src/hosts reaches its group on this host by the public interface and the seam.
if crosses src/api/*.[ch] tests/backend/*.[ch] || crosses src/hosts/*.[ch] | grep -v 'shm/base/deadline\.h' || crosses src/backend.h | grep -vE 'shm/base/(atomic|error|log|plain|ranklist)\.h'; then
    echo "src/backend.h is a seam: only src/onehost knows how ranks reach each other"
    exit 1
fi

# shellcheck disable=SC2046
files=$(find $(ls -d shm src tools include bench examples demo bindings tests/backend 2>/dev/null) -name "*.[ch]" -o -name "*.cc" -o -name "*.cpp")
# shellcheck disable=SC2086
if spelled_otherwise $files src/backend.h; then
    echo 'write #include "FOLDER/.../FILE", from the top of the tree'
    exit 1
fi
# shellcheck disable=SC2086
whole=1 check $files /dev/null
# shellcheck disable=SC2086
if grep -nE '^/\* -+ .*\.(c|cc|cpp)\b' $(echo "$files" | grep '\.h$'); then
    echo "a header serves one file: give what another file defines a header of its name"
    exit 1
fi
# shellcheck disable=SC2086
if ! circles "$of_file" $files; then
    echo "these modules include each other: give what they share a header of its own, or turn one include round"
    exit 1
fi
# shellcheck disable=SC2086
if ! circles "$of_room" $files; then
    echo "these rooms include each other: give what the lower one needs a header in it, or below it"
    exit 1
fi
# shellcheck disable=SC2046
if grep -HnE '^#include "src/' $(find shm -name '*.[ch]'); then
    echo "shm/ includes nothing of src/: what both know lies in shm/base"
    exit 1
fi
# shellcheck disable=SC2046
if grep -nE '\b(muster_dtype|muster_op|MUSTER_(SUM|PROD|MAX|MIN|FLOAT32|INT8))\b' $(find shm -name '*.[ch]'); then
    echo "shm/ is mechanism: it never sees a dtype or an op"
    exit 1
fi
# shellcheck disable=SC2046
if grep -nE '^ *# *(if|ifdef|ifndef|elif).*(__linux__|__APPLE__|_WIN32|__unix__|__FreeBSD__)' $(find shm src -name '*.[ch]' ! -path 'shm/port/*'); then
    echo "system #ifdefs belong into shm/port/"
    exit 1
fi
echo "layers hold in $(echo "$files" | wc -w) files"
