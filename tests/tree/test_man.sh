#!/bin/sh
# The manual: pages of section 3 are what the header says, every public function has one, and every option
# of the commands is in the page of its command. Uses MUSTER_SOURCE and MUSTER_COMMAND.
set -u
cd "$MUSTER_SOURCE" || exit 1
bad=0

complain() {
    echo "$*"
    bad=1
}

python3 scripts/man --check || bad=1
for name in $(grep -oE 'MUSTER_API [^(]*\(' include/muster/muster.h | grep -oE 'muster_[a-z_]+\(' | tr -d '('); do
    grep -qE "^\.Nm $name( ,)?$" docs/man/*.3 || complain "$name has no page"
done
for command in $("$MUSTER_COMMAND" --help | sed -n 's/^  muster \([a-z]*\) .*/\1/p' | sort -u); do
    page=docs/man/muster-$command.1
    [ -f "$page" ] || { complain "muster $command has no page"; continue; }
    grep -q "^.It Xr muster-$command 1" docs/man/muster.1 || complain "muster(1) does not mention muster $command"
    for option in $("$MUSTER_COMMAND" "$command" --help | grep -oE -- '--[a-z][a-z-]+' | sort -u); do
        [ "$option" = --help ] || grep -q -- " ${option#-}\>" "$page" || complain "$page does not have $option"
    done
done
if command -v mandoc >/dev/null; then
    for page in docs/man/*.[13]; do
        mandoc -T lint -W warning "$page" || bad=1
    done
fi
[ "$bad" -eq 0 ] && echo "the manual holds: $(ls docs/man | wc -l) pages"
exit $bad
