#!/bin/sh
# The Spin models: those of the code hold, those with a known mistake do not.
exec "$TEST_SOURCE/scripts/models"
