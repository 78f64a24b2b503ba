# What the scripts here share: a folder of their own, $work, counts, and looks at what a command has printed.
# Sourced first; `conclude NAME` comes last.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checks=0 failures=0
touch "$work/out" "$work/err"

fail() {
    echo "FAILED: $*"
    sed 's/^/    /' "$work/out" "$work/err"
    failures=$((failures + 1))
}

# expect STATUS WORDS-ON-STDERR COMMAND...: runs it and looks at both.
expect() {
    wanted=$1 words=$2
    shift 2
    checks=$((checks + 1))
    timeout $((60 * ${TEST_PATIENCE:-1})) "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    [ "$status" -eq "$wanted" ] || fail "$*: status $status, not $wanted"
    grep -q -- "$words" "$work/err" || [ -z "$words" ] || fail "$*: no \"$words\" on stderr"
}

# begin OUT ERR COMMAND...: runs it beside us, as $job. What OUT and ERR had is gone before it starts, so that who
# waits for words of its does not find those of an earlier one.
begin() {
    begin_out=$1 begin_err=$2
    shift 2
    : >"$begin_out"
    : >"$begin_err"
    "$@" >>"$begin_out" 2>>"$begin_err" &
    job=$!
}

# says COUNT PATTERN: so many lines of standard output are it.
says() {
    checks=$((checks + 1))
    [ "$(grep -cE -- "$2" "$work/out")" -eq "$1" ] || fail "not $1 lines of \"$2\""
}

conclude() {
    echo "$1: checks: $checks, failures: $failures"
    [ "$failures" -eq 0 ]
}
