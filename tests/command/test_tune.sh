#!/bin/sh
# `muster tune`: what it writes is used, and what is not right is not, with words for it. No time is looked at.
# Uses TEST_COMMAND; ends with its counts.
. "$TEST_SOURCE/tests/command/checks.sh"

unset MUSTER_TUNING XDG_CACHE_HOME
HOME=$work/home
export HOME
mkdir "$HOME"
tune="$TEST_COMMAND tune --seconds 0.05"

# doctor COUNT PATTERN: so many of its lines are it.
doctor() {
    "$TEST_COMMAND" doctor >"$work/out" 2>&1 || fail "doctor: status $?"
    says "$1" "$2"
}

expect 2 "takes no arguments" "$TEST_COMMAND" tune now
expect 2 "expected a time, such as 5" "$TEST_COMMAND" tune --seconds never
expect 0 "" "$TEST_COMMAND" tune --help
says 1 "^usage: muster tune"
if [ "$(nproc)" -lt 2 ]; then
    expect 1 "one CPU, so nothing can be measured" $tune
    conclude "muster tune"
    exit
fi
doctor 1 "^(ok   |note ) tuning: .*; nothing was measured here"
expect 0 "" $tune --dry-run
says 1 "^view_bytes_min "
says 1 "^Nothing was written"
doctor 1 "nothing was measured here "
expect 0 "" $tune
says 1 "^Written to $HOME/\.cache/muster/"
file=$(echo "$HOME"/.cache/muster/*)
doctor 1 "^ok    tuning: measured, in $file$"
expect 0 "" "$TEST_COMMAND" bench --check -e 64K all_sum
# Two at once, in another home of caches: both work, and the file is one of theirs.
XDG_CACHE_HOME=$work/caches
export XDG_CACHE_HOME
$tune >/dev/null 2>"$work/err" &
other=$!
expect 0 "" $tune
wait "$other" || fail "the other of two at once: status $?"
doctor 1 "^ok    tuning: measured, in $work/caches/muster/${file##*/}$"
checks=$((checks + 1))
[ "$(ls "$work/caches/muster" | wc -l)" -eq 1 ] || fail "more than one file was left: $(ls "$work/caches/muster")"
unset XDG_CACHE_HOME
# What is not right is as if it were not there, and is said.
cp "$file" "$work/whole"
echo view_bytes_min=4096 >>"$file"
doctor 1 "^note  tuning: $file is not used: it is damaged$"
says 1 "^        to improve it: muster tune"
expect 0 "" "$TEST_COMMAND" bench --check -e 64K all_sum
cp "$work/whole" "$file"
chmod 666 "$file"
doctor 1 "^note  tuning: .* is not used: it is not a plain file that only this user may write$"
rm "$file"
mkfifo "$file" # nobody writes into it, and nobody may wait for that
doctor 1 "^note  tuning: .* is not used: it is not a plain file"
rm "$file"
# No place to write to.
for home in /proc/1 "$work/none"; do
    expect 1 "cannot write what is measured to $home/.cache/muster/" env HOME="$home" $tune
    says 0 "^view_bytes_min " # it was not measured first
done
checks=$((checks + 1))
[ ! -e "$work/none" ] || fail "a home was made"
expect 1 "set HOME or XDG_CACHE_HOME" env -u HOME $tune
env -u HOME "$TEST_COMMAND" doctor >"$work/out" 2>&1 || fail "doctor without a home: status $?"
says 1 "nothing was measured here "
# By hand.
MUSTER_TUNING=view_bytes_min=64k,libc_copy_bytes_min=32k "$TEST_COMMAND" doctor >"$work/out" 2>&1
says 1 "^ok    thresholds: other than known of this kind of CPU: view_bytes_min=65536, libc_copy_bytes_min=32768$"
expect 0 "" env MUSTER_TUNING=cpu=icelake,view_bytes_min=4k "$TEST_COMMAND" bench --check -e 64K all_sum broadcast
expect 1 'MUSTER_TUNING has "view_bytes_min=1"' env MUSTER_TUNING=view_bytes_min=1 "$TEST_COMMAND" bench --check all_sum
checks=$((checks + 1))
MUSTER_TUNING=cpu=pentium "$TEST_COMMAND" doctor >"$work/out" 2>&1 && fail "a variable that makes no sense"
says 1 '^BAD   tuning: MUSTER_TUNING has "cpu=pentium"; expected none, cpu=zen4'
conclude "muster tune"
