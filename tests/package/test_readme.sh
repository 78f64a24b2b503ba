#!/bin/sh
# README.md as a reader would paste it: every block, in order, in one shell, in a copy of this tree and an empty
# HOME: as an unprivileged user, and then, where root runs the tests, as root, who finds the copy as that user left it
# and has nothing to compile. A block of C or Python becomes the file that its first line names. Check is hidden, as on
# a machine that has only what README.md asks for. A block of text is what a command prints: each line of it must have
# been printed, with whatever numbers.
#
# The sections "From MLX" and "From PyTorch" fetch up to gigabytes: TEST_README=long tries them, too, and compiles as a
# reader does; else it is quick.cmake that says how. Without a package index "From Python" is not tried, and that is
# said. Uses TEST_SOURCE.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

# What reaches a package index from here stays; nothing else of this environment.
network=$(env | grep -iE '^(pip_[a-z_]*|https?_proxy|no_proxy|all_proxy|ssl_cert_file|requests_ca_bundle)=' || true)
PATH=/usr/local/bin:/usr/bin:/bin
export PATH

left_out="" quick=""
[ "${TEST_README:-}" = long ] || left_out="From MLX|From PyTorch" quick=CMAKE_TOOLCHAIN_FILE=$work/checkout/tests/package/quick.cmake
# shellcheck disable=SC2086
if ! env $network python3 -m pip download -q --no-deps -d "$work/probe" numpy >"$work/out" 2>&1; then
    echo "no package index answers (or python3 has no pip): From Python is not tried"
    left_out="From Python|From MLX|From PyTorch"
fi

# The blocks as one shell script; "@ TEXT" lines say where it is. Blocks of text become $work/expected.
: >"$work/expected"
awk -v left_out="$left_out" -v expected="$work/expected" '
    /^## / { section = substr($0, 4); away = left_out != "" && section ~ "^(" left_out ")$" }
    !/^```/ && !inside { next }
    /^```$/ && inside { if (kind == "sh") print "wait"; else if (kind != "text") print "END_OF_BLOCK"; inside = 0; next }
    /^```/ {
        kind = substr($0, 4); inside = 1; first = 1
        if (kind !~ /^(sh|c|python|text)$/) { print "README.md:" NR ": a block of kind \"" kind "\" neither runs nor is a file" >"/dev/stderr"; exit 1 }
        skip = away
        if (!skip && kind != "text") print "echo \"@ README.md:" NR "\""
        if (skip) kind = "sh"
        next
    }
    skip { next }
    kind == "text" { print >expected; next }
    first && kind != "sh" {
        if (!match($0, /[a-z_]+\.(c|py)/)) { print "README.md:" NR ": the first line names no file" >"/dev/stderr"; exit 1 }
        print "cat >" substr($0, RSTART, RLENGTH) " <<\"END_OF_BLOCK\""
    }
    # A reader has a machine that is not busy: two seconds are enough for the ranks to wait.
    kind == "sh" { sub(/^sleep 2;/, "looks=0; until muster inspect $! 2>/dev/null | grep -q \"has not entered\"; do looks=$((looks + 1)); if [ $looks -gt 600 ]; then echo \"nobody waits\"; exit 1; fi; sleep 0.1; done;") }
    { first = 0; print }
' "$TEST_SOURCE/README.md" >"$work/blocks"

# masked FILE: without numbers and the width of columns
masked() {
    sed -E 's/[0-9]+(\.[0-9]+)?/N/g; s/ +/ /g; s/^ //; s/ $//' "$1"
}

mkdir "$work/checkout"
(cd "$TEST_SOURCE" && tar cf - --exclude=./build --exclude=./.git --exclude=__pycache__ .) | (cd "$work/checkout" && tar xf -)

# read_as NAME COMMAND...: pastes the blocks, in a shell that COMMAND starts
read_as() {
    name=$1
    shift
    mkdir -p "$work/$name"
    [ "$(id -u)" -ne 0 ] || [ "$name" = root ] || chown -R 65534:65534 "$work/$name" "$work/checkout"
    status=0
    # shellcheck disable=SC2086
    (cd "$work/checkout" && "$@" env -i HOME="$work/$name" USER="$name" PATH="$PATH" PKG_CONFIG_LIBDIR=/nonexistent $network \
        SKBUILD_BUILD_DIR=build/wheel $quick \
        sh -e "$work/blocks") >"$work/out" 2>&1 || status=$?
    said=0
    for line in "The tests are not built" "rank 3 of 4: 4" "rank 0 of 2: 2" "rank 1 of 2: 2"; do
        grep -q "$line" "$work/out" || said=1
    done
    masked "$work/out" >"$work/printed"
    masked "$work/expected" >"$work/promised"
    while read -r line; do
        [ -z "$line" ] || grep -qxF -- "$line" "$work/printed" || { said=1; echo "not printed: $line"; }
    done <"$work/promised"
    case $left_out in
    *Python*) ;;
    *) [ "$(grep -cE "^\[?[0-3]?\]? ?[0-3] 6.0 2 4.0$" "$work/out")" -eq 4 ] || said=1 ;;
    esac
    if [ -z "$left_out" ]; then
        [ "$(grep -cE "[0-3] 4 array\(\[6, 6, 6, 6\]" "$work/out")" -eq 4 ] || said=1
        [ "$(grep -cE "[0-3] 4 6.0$" "$work/out")" -eq 4 ] || said=1
    fi
    if [ $status -ne 0 ] || [ $said -ne 0 ]; then
        cat "$work/out"
        echo "$name: README.md does not work as pasted: status $status$([ $said -eq 0 ] || echo ", or not the output that it should have")"
        exit 1
    fi
    echo "$name: $(grep -c "^@ " "$work/out") blocks of README.md work as pasted${left_out:+, without $left_out}"
}

if [ "$(id -u)" -eq 0 ]; then
    read_as user setpriv --reuid=65534 --regid=65534 --clear-groups
    chown -R 0:0 "$work/checkout"
    read_as root
else
    read_as user
fi
