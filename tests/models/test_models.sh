#!/bin/sh
# One of the Spin models: as the code has it, it holds; with a known mistake it does not.
exec "$TEST_SOURCE/scripts/models" "$1"
