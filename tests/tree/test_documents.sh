#!/bin/sh
# The documents hold together: links lead somewhere, a file that a document names is there, decisions have one form and a row in
# their index, and what is generated is as its script writes it. Uses TEST_SOURCE.
set -u
cd "$TEST_SOURCE" || exit 1
bad=0

complain() {
    echo "$*"
    bad=1
}

# links_of FILES...: "FILE TARGET" for each link to a file of the tree.
links_of() {
    grep -HoE '\]\([^)# ]+' "$@" | sed 's/:](/ /' | grep -vE ' (https?|mailto):'
}

check_links() { # check_links FILES...
    links_of "$@" | while read -r file target; do
        [ -e "$(dirname "$file")/$target" ] || echo "$file links to $target, which is not there"
    done
}

# A path without an ending is a module or a folder; NAME in capitals is for the reader to fill in.
check_paths() {
    grep -HoE '`(shm|src|tools|tests|docs|scripts|examples|demo|bench|bindings|cmake|include)/[A-Za-z0-9_./-]+`' "$@" | tr -d '`' |
        sed 's/:/ /' | grep -vE '/(os_)?(NAME|SYSTEM)' | sort -u | while read -r file path; do
        [ -e "$path" ] || [ -e "$path.c" ] || [ -e "$path.h" ] || echo "$file names $path, which is not there"
    done
}

# A file by its name alone is one of some folder.
check_names() {
    grep -HoE '`[a-z0-9_/]+\.(c|h|sh)`' "$@" | tr -d '`' | sed 's/:/ /' | sort -u | while read -r file name; do
        case " $tried_names " in *" $name "*) continue ;; esac
        [ -n "$(find . -path './build*' -prune -o -path "*/$name" -print | head -n 1)" ] || echo "$file names $name, which is not there"
    done
}
tried_names="shift.c" # of HACKING's collective

# check_decisions FOLDER: each page has its number, a title and a status; the index has each page, and no other.
check_decisions() {
    number=0
    for page in "$1"/[0-9]*.md; do
        number=$((number + 1))
        name=$(basename "$page")
        [ "$(printf '%04d' "$number")" = "${name%%-*}" ] || { echo "$page: the next number is $number"; break; }
        title=$(sed -n "1s/^# $number\. //p" "$page")
        [ -n "$title" ] || echo "$page does not begin with \"# $number. Title\""
        sed -n 3p "$page" | grep -qE '^\*\*Status\.\*\* (Accepted|Proposed|Superseded by \[[0-9]+\])' || echo "$page has no status in its third line"
        for part in Context Decision Rejected Cost; do
            grep -q "^\*\*$part\.\*\*" "$page" || echo "$page has no part \"$part\""
        done
        word=$(sed -n 3p "$page" | sed -E 's/^\*\*Status\.\*\* ([A-Za-z]+).*/\1/' | tr '[:upper:]' '[:lower:]')
        grep -qF "| $number | [$title]($name) | $word" "$1/README.md" || echo "$1/README.md has no row for \"$number. $title\", $word"
    done
    [ "$(grep -c '^| [0-9]' "$1/README.md")" -eq "$number" ] || echo "$1/README.md has a row for a page that is not there"
}

# check_words FILES...: words that decision 37 has replaced, where they can mean nothing else.
check_words() {
    grep -HnwiE 'lanes?|pieces?|folds?|folded|folding|beacons?|mishaps?|pooled|crowded|newcomers?|entrances?' "$@"
}

# The same for code, names included; a lane is a vector's in the kernels, and DLPack's.
check_words_of_code() {
    grep -HniE '(^|[^a-z])(lanes?|pieces?|folds?|folded|folding|beacons?|mishaps?|pooled|crowded|newcomers?|entrances?|rungs?)([^a-z]|$)' "$@" |
        grep -viE '^(src/kernels/|tests/unit/test_kernels|bindings/python/src/view\.c:)[^:]*:?[0-9]*:?.*lane'
}

documents=$(ls ./*.md docs/*.md docs/decisions/*.md docs/lab/*.md)
# What is of another time may name files of that time.
current=$(ls ./*.md docs/*.md | grep -v CHANGELOG)

# The checks themselves must be able to fail.
canary=$(mktemp -d)
trap 'rm -rf "$canary"' EXIT
printf 'see [it](nowhere.md) and `src/nowhere.c`, or `nowhere.c`\n' >"$canary/links.md"
printf 'a lane of the beacon\n' >"$canary/words.md"
printf '# 2. Title\n\nno status\n' >"$canary/0001-page.md"
printf '| 1 | [Other](0001-page.md) | accepted |\n' >"$canary/README.md"
[ -n "$(check_links "$canary/links.md")" ] || complain "the check does not see a link that leads nowhere"
[ -n "$(check_paths "$canary/links.md" /dev/null)" ] || complain "the check does not see a path that is not there"
[ "$(check_names "$canary/links.md" /dev/null | wc -l)" -eq 2 ] || complain "the check does not see a file name that is nobody's"
[ -n "$(check_words "$canary/words.md")" ] || complain "the check does not see a word that was replaced"
printf 'static bool has_rung(void);\nclass Lane;\n' >"$canary/words.c"
[ "$(check_words_of_code "$canary/words.c" | wc -l)" -eq 2 ] || complain "the check does not see a name of a word that was replaced"
[ "$(check_decisions "$canary" | wc -l)" -ge 7 ] || complain "the check does not see a decision without form"

# shellcheck disable=SC2086
code=$(find include shm src tools bindings examples demo bench tests scripts docs/man -type f ! -path '*/fuzz/corpus/*' \
    ! -path tests/tree/test_documents.sh ! -path 'demo/data/*' ! -name '*.pyc')
# shellcheck disable=SC2086
found=$(check_words_of_code $code)
[ -z "$found" ] || complain "$found"
# shellcheck disable=SC2086
found=$(check_words $current | grep -v '^./docs/lab/'; check_links $documents; check_paths $current; check_names $current; check_decisions docs/decisions)
[ -z "$found" ] || complain "$found"
python3 scripts/picture --check || bad=1
[ "$bad" -eq 0 ] && echo "the documents hold: $(echo "$documents" | wc -l), $(ls docs/decisions | grep -c '^[0-9]') of them decisions"
exit $bad
