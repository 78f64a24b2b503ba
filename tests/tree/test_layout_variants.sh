#!/bin/sh
# Every change of the arena's list (shm/base/layout_fields.h, with the file that it includes) is another fingerprint. Each variant of the list
# differs in one thing: two neighbouring fields have changed their names, a field another type of the same
# size, a constant another value, or two structs their names; shm/base/layout.c is compiled with it, and its
# fingerprint must be unlike that of all others. A variant that no longer compiles is seen as well.
set -eu
cd "$TEST_SOURCE"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/shm/base"
list=$work/list_of_fields
sed -e '/^#include/{r shm/base/layout_observed_fields.h' -e 'd;}' shm/base/layout_fields.h >"$list"
compiler=${CC:-cc}

# variant NUMBER: prints the list with the change of that number; fails when there is none
variant() {
    awk -v wanted="$1" '
    function name_of(line) { # the second word of a row
        sub(/^[^(]*\([^,]*, /, "", line); sub(/[,)].*/, "", line)
        return line
    }
    function with_name(line, name,   head) {
        match(line, /^[^(]*\([^,]*, /); head = substr(line, 1, RLENGTH); line = substr(line, RLENGTH + 1)
        sub(/^[a-z_0-9]*/, name, line)
        return head line
    }
    { line[NR] = $0 }
    END {
        for (i = 1; i <= NR; i++) {
            if (line[i] ~ /^END_STRUCT/) last = 0
            if (line[i] ~ /^CONSTANT\(/ && ++change == wanted) sub(/\);/, " + 1);", line[i])
            if (line[i] !~ /^    (FIELD|ARRAY)\(/) continue
            if (line[i] ~ /uint(32|64)_t,/ && ++change == wanted) sub(/uint/, "int", line[i])
            if (last && ++change == wanted) {
                name = name_of(line[i])
                line[i] = with_name(line[i], name_of(line[last])); line[last] = with_name(line[last], name)
            }
            last = i
        }
        for (i = 1; i <= NR; i++) print line[i]
        exit change < wanted
    }' "$list"
}

# What a struct declares without these words would be in no row.
if awk '/^STRUCT/ { inside = 1 } /^END_STRUCT/ { inside = 0 }
    inside && !/^STRUCT|^    (FIELD|ARRAY|REST)\(|^    \/\*|^     \*/ { print FILENAME ":" FNR ":" $0; bad = 1 }
    END { exit !bad }' "$list"; then
    echo "these lines are in a struct and not in the list"
    exit 1
fi

number=0
refused=0
while :; do
    if [ "$number" -eq 0 ]; then # the list as it is
        cp "$list" "$work/shm/base/layout_fields.h"
    else
        variant "$number" >"$work/shm/base/layout_fields.h" || break
        if cmp -s "$list" "$work/shm/base/layout_fields.h"; then
            echo "variant $number is the list itself"
            exit 1
        fi
    fi
    # Its own names for all that is global; -O0, since it runs once.
    if $compiler -std=c11 -w -O0 -I"$work" -I. -Dmst_layout_fingerprint="fingerprint_$number" \
        -fvisibility=hidden -c shm/base/layout.c -o "$work/$number.o" 2>"$work/error"; then
        objcopy --keep-global-symbol="fingerprint_$number" "$work/$number.o"
        echo "FINGERPRINT($number)" >>"$work/list"
    elif [ "$number" -eq 0 ] || ! grep -q 'static assertion\|static_assert' "$work/error"; then
        cat "$work/error"
        exit 1
    else
        refused=$((refused + 1))
    fi
    number=$((number + 1))
done
{
    echo '#include <stdio.h>'
    sed 's/.*(\(.*\))/unsigned long long fingerprint_\1(void);/' "$work/list"
    echo 'int main(void) {'
    sed 's/.*(\(.*\))/    printf("%016llx \1\\n", fingerprint_\1());/' "$work/list"
    echo '    return 0; }'
} >"$work/main.c"
$compiler -o "$work/main" "$work/main.c" "$work"/*.o
"$work/main" | sort >"$work/fingerprints"
if [ "$(cut -d' ' -f1 "$work/fingerprints" | uniq -d | wc -l)" -ne 0 ]; then
    echo "these variants of the list have the same fingerprint (0 is the list itself):"
    uniq -w16 -D "$work/fingerprints"
    exit 1
fi
compared=$(wc -l <"$work/fingerprints")
[ "$compared" -gt 200 ] || { echo "only $compared variants"; exit 1; }
echo "$compared lists, each with a fingerprint of its own; $refused variants do not compile"
