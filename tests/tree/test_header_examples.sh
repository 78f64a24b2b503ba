#!/bin/sh
# Every example in the comments of include/muster/muster.h compiles without a warning, in C11 and in C++11, and every
# group of functions has one. An example is the rows after "Example...:"; one without main is the body of a
# function that has a world. Uses TEST_SOURCE.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - "$TEST_SOURCE/include/muster/muster.h" "$work" <<'EOF'
import re
import sys
header, work = sys.argv[1:]
text = open(header, encoding="utf-8").read()
sections = re.split(r"^/\* -{4} (.*?) -+ \*/$", text, flags=re.M)
count = 0
for title, section in zip(["the beginning", *sections[1::2]], sections[::2]):
    found = re.findall(r"^ \* Example[^\n]*:\n \*\n((?: \*     [^\n]*\n| \*\n(?= \*     ))+)", section, re.M)
    if not found:
        sys.exit(f"{title}: has no example")
    for example in found:
        code = re.sub(r"^ \*(?:     )?", "", example, flags=re.M)
        if "int main(" not in code:
            if "*world;" in code:  # its own
                begin = "void example(void);\nvoid example(void)\n{\n"
            else:
                begin = "void example(muster_group *world);\nvoid example(muster_group *world)\n{\n    (void)world;\n"
            code = begin + code + "}\n"
        count += 1
        with open(f"{work}/{count:02}.c", "w", encoding="utf-8") as file:
            file.write("#include <fcntl.h>\n#include <muster/muster.h>\n#include <stdio.h>\n#include <string.h>\n\n" + code)
print(f"{count} examples of {len(sections[::2])} groups of functions")
EOF

warnings="-Wall -Wextra -Wpedantic -Wmissing-field-initializers -Werror -fsyntax-only"
for example in "$work"/*.c; do
    "${CC:-cc}" -std=c11 -D_POSIX_C_SOURCE=200809L $warnings -I "$TEST_SOURCE/include" "$example" &&
        "${CXX:-c++}" -std=c++11 $warnings -I "$TEST_SOURCE/include" -x c++ "$example" ||
        { cat "$example"; exit 1; }
done
