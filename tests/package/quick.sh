#!/bin/sh
# The compiler, as quick.cmake starts it: whatever a file asks for is not optimised.
# shellcheck disable=SC2086
exec ${CMAKE_C_COMPILER_LAUNCHER:-} "$@" -O0
