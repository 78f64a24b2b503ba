#!/bin/sh
# The rules of CONTRIBUTING.md that a machine can check: lengths, banned words, and that every edge of
# the memory model that the code names is in docs/MEMORY_MODEL.md, with both of its ends in the code.
set -eu
cd "$TEST_SOURCE"
library=$(find shm src include -name '*.[ch]')
everything=$(find shm src include tools tests examples demo bench bindings -name '*.[ch]')
bad=0

complain() {
    echo "$*"
    bad=1
}

# Functions up to 60 lines, files up to 400, those of tests up to 500, lines up to 120 columns.
# shellcheck disable=SC2086
awk '
    FNR == 1 { inside = 0 }
    length($0) > 120 { print FILENAME ":" FNR ": a line of " length($0) " columns"; bad = 1 }
    /^[a-zA-Z_].*\)$/ || /^    __attribute__/ { name = $0 }
    /^\{$/ { inside = 1; start = FNR }
    /^\}$/ && inside { inside = 0; if (FNR - start > 60) { print FILENAME ":" start ": " FNR - start " lines: " name; bad = 1 } }
    FNR == 1 { most = FILENAME ~ /^tests\// ? 500 : 400 }
    FNR > most && !long[FILENAME]++ && FILENAME !~ /muster\.h$/ { print FILENAME ": over " most " lines"; bad = 1 }
    END { exit bad }' $everything || bad=1

# A row of a table in a comment that is too long runs together with the next row when clang-format wraps it.
# shellcheck disable=SC2086
awk '
    FNR == 1 { row = 0 }
    row && /^ \* [^ ]/ { print FILENAME ":" FNR ": the row of a table above goes on here: shorten it"; bad = 1 }
    { row = /^ \*   +[^ ].*[^ ]  +[^ ]/ }
    END { exit bad }' $everything || bad=1

# shellcheck disable=SC2086
{
    grep -nE '\bkill\([^,]*, *0\)' $library && complain "kill(pid, 0) takes a zombie for alive"
    grep -nE 'CLOCK_REALTIME|gettimeofday|pthread_mutex_timedlock|sem_timedwait' $library && complain "deadlines are monotonic"
    grep -nE '\bsched_yield\(|\bnanosleep\(|\busleep\(|SYS_futex' $(echo "$library" | tr ' ' '\n' | grep -v 'shm/port/os_') && complain "waiting goes by shm/wait/wait"
    grep -nE 'mst_os_(park|yield|relax|unpark_all)\(' $(echo "$library" | tr ' ' '\n' | grep -vE 'shm/(port/os|wait/wa(it|ke)\.)') && complain "one file waits, shm/wait/wait.c, and one wakes, shm/wait/wake.c"
    grep -nE '\bvolatile\b' $(echo "$library" | tr ' ' '\n' | grep -v 'src/kernels/elements.h') && complain "volatile is no synchronisation"
    grep -nE 'atomic_(thread|signal)_fence|__sync_|__atomic_' $library && complain "no fences: ThreadSanitizer does not see them; orders are written out"
    grep -nE 'PRIVATE_FLAG|FUTEX_PRIVATE' $library && complain "futexes here are shared between processes"
    grep -nE '\b(v?f?printf|v?dprintf|f?puts|perror|exit|abort|signal|sigaction|sched_setaffinity|pthread_setaffinity_np)\(' $(find shm src -name '*.c' ! -path 'src/launch/spawn.c' ! -path 'src/onehost/crash.c') && complain "the library never prints, exits, or installs handlers"
    grep -nE '\bSTD(OUT|ERR)_FILENO\b|, *std(out|err)\)' $(find shm src -name '*.c' ! -path 'shm/base/log.c' ! -path 'src/launch/streams.c') && complain "the library prints nothing but the log that is asked for"
    grep -nE '\b(_exit|_Exit)\(' $(find shm src -name '*.c' ! -path 'src/launch/spawn.c' ! -path 'src/launch/guard.c' ! -path 'shm/port/os_linux_huge.c') && complain "the library ends no process but those that it forks"
    grep -nE 'atomic_(load|store|fetch_[a-z]+|exchange|compare_exchange_(strong|weak))\(' $library && complain "orders are written out: shm/base/atomic.h"
    # A test waits for a fact (AWAIT), or has a rank be slow (pass_time_ms): tests/harness/ranks.h.
    grep -nE '\b(u|nano|clock_nano)?sleep\(' $(find tests -name '*.[ch]' ! -path 'tests/harness/ranks.c' ! -path 'tests/command/*' ! -path 'tests/soak/*') && complain "no test sleeps to synchronise"
    true
}
# In scripts: between two looks at a fact only, or in what a rank runs.
# shellcheck disable=SC2046
awk 'FNR == 1 { loops = 0 }
    /^ *(while|until|for) .*; do$/ { loops++ }
    /^ *done/ { loops-- }
    /^ *sleep [0-9.]+/ && !loops { print FILENAME ":" FNR ": " $0; bad = 1 }
    END { exit bad }' $(find tests -name '*.sh') || complain "no test sleeps to synchronise"

# Check's own limit is 4 s, which a busy machine takes.
for test in $(grep -l tcase_create tests/*/*.c); do
    grep -q tcase_set_timeout "$test" || complain "$test has no tcase_set_timeout"
done

# Every synchronising access names its edge, and every edge is in the document, with two ends.
for edge in $(cat $library | grep -oE '\bE[0-9]+\b' | sort -u); do
    grep -q "^| $edge |" docs/MEMORY_MODEL.md || complain "edge $edge is not in docs/MEMORY_MODEL.md"
    # shellcheck disable=SC2086
    [ "$(cat $library | grep -cE "\\b$edge\\b")" -ge 2 ] || complain "edge $edge has only one end"
done
for edge in $(grep -oE '^\| E[0-9]+ \|' docs/MEMORY_MODEL.md | tr -d '| '); do
    # shellcheck disable=SC2086
    grep -qE "\\b$edge\\b" $library || complain "docs/MEMORY_MODEL.md has edge $edge, and the code does not"
done
# What the documents name is there: functions, fields, tests.
for document in docs/MEMORY_MODEL.md docs/MODELS.md docs/ARCHITECTURE.md docs/FAILURE.md docs/LAYOUT.md docs/PERFORMANCE.md; do
    for name in $(grep -oE '`[a-z0-9_]+`|`(mst|muster)_[a-z0-9_]+' "$document" | tr -d '`' | grep -vE '^_|_$' | sort -u); do
        case $document:$name in
        *:mst_* | *:muster_* | *MEMORY_MODEL.md:* | *MODELS.md:*) ;;
        *) continue ;; # words of other kinds
        esac
        grep -rqwF "$name" shm src include tools tests scripts || [ -n "$(find tests -name "$name.*")" ] ||
            complain "$document names $name, which is not there"
    done
done

# What a collective is, is its row of src/pure/collective.h, its file, and what programs call: nobody else asks which.
named_elsewhere() { # named_elsewhere NAME name: where else the code of src/ and shm/ names it
    names="\\b(MST_$1|mst_method_$2|muster_$2(_start)?)\\b"
    case $2 in *_*) names="$names|\\b$2\\b" ;; esac # else it is a word of English, too
    grep -rnE "$names" src shm --include='*.[ch]' |
        grep -vE "^(src/onehost/coll/$2\.c|src/hosts/(plans|run)\.c|src/api/collectives\.c|src/pure/collective\.h):|^[^:]*:[0-9]*: *(/\*|\*)"
}
rows=$(sed -n 's/^    X(\([A-Z_]*\), \([a-z_]*\),.*/\1:\2/p' src/pure/collective.h)
[ "$(echo "$rows" | wc -l)" -ge 9 ] || complain "the rows of src/pure/collective.h are not found"
for row in $rows; do
    named_elsewhere "${row%:*}" "${row#*:}" && complain "${row#*:} is named outside its row and its file"
    [ -f "src/onehost/coll/${row#*:}.c" ] || complain "${row#*:} has no file in src/onehost/coll"
done

[ "$bad" -eq 0 ] && echo "style holds in $(echo "$everything" | wc -w) files"
exit $bad
