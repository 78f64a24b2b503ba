#!/bin/sh
# bench/compare --smoke: builds the contenders that are here (muster always, the peers where they are
# installed), and every result of each is right. No time is looked at.
set -eu
"$TEST_SOURCE/bench/compare" --smoke
