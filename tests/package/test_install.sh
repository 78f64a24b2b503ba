#!/bin/sh
# Installs into an empty prefix and builds outside programs as users do: find_package, pkg-config
# shared and static, add_subdirectory, and the header alone in C and C++.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
here=$TEST_SOURCE/tests/package

cmake --install "$TEST_BUILD" --prefix "$work/prefix" >/dev/null
for file in bin/muster bin/mpirun-muster include/muster/muster.h share/man/man1/muster.1 share/man/man1/muster-run.1 \
    share/man/man3/muster.3 share/man/man3/muster_all_sum.3; do
    [ -f "$work/prefix/$file" ] || { echo "$file was not installed"; exit 1; }
done

echo "== the manual: every function's name leads to a page"
for function in $(sed -n 's/.*MUSTER_API.*\(muster_[a-z0-9_]*\)(.*/\1/p' "$work/prefix/include/muster/muster.h"); do
    page=$work/prefix/share/man/man3/$function.3
    [ -f "$page" ] || { echo "$function has no page"; exit 1; }
    other=$(sed -n 's/^\.so //p' "$page")
    [ -f "$work/prefix/share/man/$other" ] || [ -z "$other" ] || { echo "$page leads nowhere"; exit 1; }
done

echo "== the library for MLX"
"$work/prefix/bin/muster" run --mlx -n 2 -- sh -c '[ -r "$MLX_MPI_LIBNAME" ]'

echo "== find_package"
cmake -S "$here/consumer" -B "$work/consumer" -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
cmake --build "$work/consumer" >/dev/null
"$work/prefix/bin/muster" run -n 2 -- "$work/consumer/consumer_shared"
"$work/prefix/bin/muster" run -n 2 -- "$work/consumer/consumer_static"

echo "== add_subdirectory, with the options that it has by default, and without side effects"
cmake -S "$here/subdirectory" -B "$work/subdirectory" -DMUSTER_DIR="$TEST_SOURCE" >/dev/null
# That it is configured so shows here; how it is compiled, in the build that was installed above.
cmake -DCMAKE_C_COMPILER_LAUNCHER="$here/quick.sh" -DMUSTER_LINK_TIME_OPTIMISATION=OFF -DMUSTER_WIDE_KERNELS=OFF \
    "$work/subdirectory" >/dev/null
cmake --build "$work/subdirectory" --target consumer -j 2 >/dev/null
"$work/prefix/bin/muster" run -n 2 -- "$work/subdirectory/consumer"

echo "== pkg-config, shared, found without being told where, and static"
PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name muster.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
cc "$here/consumer/consumer.c" $(pkg-config --cflags --libs muster) -o "$work/shared"
"$work/prefix/bin/muster" run -n 2 -- "$work/shared"
# shellcheck disable=SC2046
c++ -std=c++17 -Wall -Wextra -Werror "$here/consumer/consumer.cc" $(pkg-config --cflags --libs muster) -o "$work/cxx"
"$work/prefix/bin/muster" run -n 2 -- "$work/cxx"
# shellcheck disable=SC2046
cc -static "$here/consumer/consumer.c" $(pkg-config --static --cflags --libs muster) -o "$work/static"
"$work/prefix/bin/muster" run -n 2 -- "$work/static"

echo "== the header alone"
echo '#include <muster/muster.h>' >"$work/header.c"
cp "$work/header.c" "$work/header.cc"
for standard in c11 c17; do
    cc -std=$standard -Wall -Wextra -Wpedantic -Werror -I"$work/prefix/include" -c "$work/header.c" -o /dev/null
done
c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -I"$work/prefix/include" -c "$work/header.cc" -o /dev/null

echo "== what the library exports and needs"
library=$(find "$work/prefix" -name 'libmuster.so.0.1.0')
if nm -D --defined-only "$library" | grep -vE ' (T muster_|A MUSTER_0)'; then
    echo "exported, and not in the public header"
    exit 1
fi
if nm --defined-only --extern-only "$work"/prefix/lib*/libmuster.a "$work"/prefix/lib/*/libmuster.a 2>/dev/null |
    awk 'NF == 3 { print $3 }' | grep -vE '^(muster|mst)_'; then
    echo "a name inside the library that could clash with a program's"
    exit 1
fi
objdump -p "$library" | sed -n 's/^ *NEEDED *//p' | grep -vE '^(libc|ld-linux.*)\.so' && { echo "more than libc"; exit 1; }

echo "== the library stays when a program closes it"
cc -I"$work/prefix/include" "$here/consumer/unload.c" -o "$work/unload" -ldl
for run in 1 2 3 4 5; do # what is not there any more is a matter of timing
    "$work/prefix/bin/muster" run -n 2 -- "$work/unload" "$library"
done
"$work/prefix/bin/muster" run -n 2 -- "$work/unload" "$library" crash 2>"$work/said" && exit 1
grep "killed by signal 8" "$work/said"

echo "== every function of the header"
sed -n 's/.*MUSTER_API.*\(muster_[a-z0-9_]*\)(.*/\1/p' "$work/prefix/include/muster/muster.h" | sort -u >"$work/declared"
nm -D --defined-only "$library" | sed -n 's/.* T \(muster_[a-z0-9_]*\)@.*/\1/p' | sort -u >"$work/exported"
diff "$work/declared" "$work/exported"
