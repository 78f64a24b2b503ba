#!/bin/sh
# The library with programs that were compiled with another version's header: structs that begin with struct_size
# are shorter there by their last two fields, or longer by one. Uses TEST_SOURCE and TEST_BUILD.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
here=$TEST_SOURCE/tests/package
library=$(find "$TEST_BUILD" -name 'libmuster.so' | head -1)

python3 - "$TEST_SOURCE/include/muster/muster.h" "$work" <<'EOF'
import os
import re
import sys
header, work = sys.argv[1:]
text = open(header, encoding="utf-8").read()
FIRST = {"muster_error_info", "muster_message", "muster_tuning", "muster_threshold"}  # have no field yet that their first version has not


def change(match, version):
    body, name = match[1], match[2]
    if version == "later":
        return f"typedef struct {name} {{{body}    long long later;\n}} {name};"
    members = re.findall(r"[^;]*;[^\n]*\n(?: {6,}[^\n]*\n)*", body)
    assert "".join(members) == body and len(members) > 2, name
    if name not in FIRST:
        del members[-2:]  # one alone may leave nothing but padding
    return f"typedef struct {name} {{{''.join(members)}}} {name};"


names = []
for version in "earlier", "later":
    made = re.sub(r"typedef struct (?=muster_\w+ \{)\w+ \{(\n    size_t struct_size;.*?)\} (\w+);",
                  lambda match: names.append(match[2]) or change(match, version), text, flags=re.S)
    os.makedirs(f"{work}/{version}/muster")
    open(f"{work}/{version}/muster/muster.h", "w", encoding="utf-8").write(made)
assert len(names) == 2 * 12, names  # error_info, config, message, line, launch_config, report, tuning, threshold, seen_rank, seen_call, inspection, record
EOF

warnings="-Wall -Wextra -Wpedantic -Wmissing-field-initializers -Werror"
for version in earlier later; do
    defined=$([ "$version" = later ] && echo -DLATER || true)
    echo "== a program of an $version version"
    "${CC:-cc}" -std=c11 -D_POSIX_C_SOURCE=200809L $warnings $defined -I "$work/$version" "$here/versions.c" -o "$work/in_c" "$library"
    "${CXX:-c++}" -std=c++11 $warnings $defined -x c++ -I "$work/$version" "$here/versions.c" -x none -o "$work/in_cxx" "$library"
    for program in in_c in_cxx; do
        LD_LIBRARY_PATH=$(dirname "$library") "$work/$program"
    done
done
