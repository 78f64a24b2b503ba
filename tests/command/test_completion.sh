#!/bin/sh
# The completion of bash: which words it offers. Ends with its counts.
command -v bash >/dev/null || { echo "no bash"; exit 77; }
. "$TEST_SOURCE/tests/command/checks.sh"

# offers WORDS LINE...: for the last word of the line these are all, or with + before them some of all.
offers() {
    wanted=$1
    shift
    checks=$((checks + 1))
    # shellcheck disable=SC2016
    bash -c '. "$1" && shift && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _muster && echo "${COMPREPLY[@]}"' \
        bash "$TEST_SOURCE/tools/muster/completions/muster.bash" "$@" >"$work/out" 2>"$work/err"
    case $wanted in
    +*) grep -qwF -- "${wanted#+}" "$work/out" || fail "$*: not $wanted" ;;
    *) [ "$(cat "$work/out")" = "$wanted" ] || fail "$*: not \"$wanted\"" ;;
    esac
    [ ! -s "$work/err" ] || fail "$*: words on stderr"
}

cd "$work" || exit 1
mkdir folder
touch folder/matter folder/neither
offers "trace" muster tra
offers "maxloc" muster bench -o maxl
offers "max maxloc" muster bench --op ma
offers "folder/matter" muster report t.json -o folder/m
offers "folder/matter" muster run --trace folder/m
offers "kill" muster run --on-failure k
offers "--trace --trace-limit" muster run --trac
offers "--tty" muster run --trace folder/neither -n 2 --tt
# What is behind the program, or behind --, is the program's.
offers "" muster run -n 2 -- folder/matter --on-failure k
offers "folder/neither" muster run -n 2 -- folder/matter -o folder/n
offers "" muster run --trace=t.json folder/matter --trac
offers "" muster run --trace = t.json folder/matter --trac # as bash has its words
offers "folder/neither" muster run -n 2 folder/matter --bind folder/n
offers "+true" muster run -n 2 -- tru
offers "+true" muster run -n 2 tru
conclude "completion"
