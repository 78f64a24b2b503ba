#!/bin/sh
# The manual and docs/CONFIG.md: pages of section 3 are what the header says, every public function has one, its lists and
# tables have their rows there, and every option of the commands is in the page of its command. Uses TEST_SOURCE and TEST_COMMAND.
set -u
: "${TEST_COMMAND:?is not set: the muster command, such as build/release/bin/muster}"
cd "$TEST_SOURCE" || exit 1
bad=0

complain() {
    echo "$*"
    bad=1
}

python3 scripts/man --check || bad=1
for name in $(grep -oE 'MUSTER_API [^(]*\(' include/muster/muster.h | grep -oE 'muster_[a-z_]+\(' | tr -d '('); do
    grep -qE "^\.Nm $name( ,)?$" docs/man/*.3 || complain "$name has no page"
done
for command in $("$TEST_COMMAND" --help | sed -n 's/^  muster \([a-z]*\) .*/\1/p' | sort -u); do
    page=docs/man/muster-$command.1
    [ -f "$page" ] || { complain "muster $command has no page"; continue; }
    grep -q "^.It Xr muster-$command 1" docs/man/muster.1 || complain "muster(1) does not mention muster $command"
    for option in $("$TEST_COMMAND" "$command" --help | grep -oE -- '--[a-z][a-z-]+' | sort -u); do
        [ "$option" = --help ] || grep -q -- " ${option#-}\>" "$page" || complain "$page does not have $option"
    done
done
# docs/CONFIG.md, the list in the command, and what the code reads are the same; and options are in it.
code=$(grep -rhoE '"MUSTER_[A-Z_]+"' src shm tools bindings --include='*.c' --include='*.cc' --include='*.py' --exclude=variables.c | tr -d '"' |
    grep -vE '_(INIT|NONE)$' | sort -u)
listed=$(grep -oE '"MUSTER_[A-Z_]+"' src/pure/variables.c | tr -d '"' | sort -u)
documented=$(grep -E '^\| `MUSTER_' docs/CONFIG.md | sed 's/|[^|]*|[^|]*|$//' | grep -oE 'MUSTER_[A-Z_]+' | sort -u)
[ "$code" = "$listed" ] || complain "src/pure/variables.c lists other variables than the code reads: $(echo "$code $listed" | tr ' ' '\n' | sort | uniq -u | tr '\n' ' ')"
[ "$code" = "$documented" ] || complain "docs/CONFIG.md has other variables than the code reads: $(echo "$code $documented" | tr ' ' '\n' | sort | uniq -u | tr '\n' ' ')"
for command in run inspect top trace report bench tune; do
    for option in $("$TEST_COMMAND" "$command" --help | grep -oE -- '--[a-z][a-z-]+' | sort -u); do
        [ "$option" = --help ] || grep -qE -- "^\|.*\`$option\b" docs/CONFIG.md || complain "docs/CONFIG.md does not have $option of muster $command"
    done
done
# The words that a variable may be set to are in muster(1), too.
for pair in $(sed -n 's/^| `\(MUSTER_[A-Z_]*\)` |[^|]*|\([^|]*\)|$/\1 \2/p' docs/CONFIG.md |
    awk '{ n = split($0, part, "`"); for (i = 2; i <= n; i += 2) if (part[i] ~ /^[a-z0-9]+$/) print $1 ":" part[i] }'); do
    awk -v name="${pair%%:*}" '/^\.It Ev/ { found = $3 == name } found' docs/man/muster.1 | grep -qw "${pair#*:}" ||
        complain "docs/man/muster.1 does not have ${pair#*:} for ${pair%%:*}, which docs/CONFIG.md has"
done
if command -v mandoc >/dev/null; then
    for page in docs/man/*.[13]; do
        mandoc -T lint -W warning "$page" || bad=1
    done
    python3 tests/tree/man_rows.py include/muster/muster.h docs/man/*.3 || bad=1
fi
[ "$bad" -eq 0 ] && echo "the manual holds: $(ls docs/man | wc -l) pages"
exit $bad
