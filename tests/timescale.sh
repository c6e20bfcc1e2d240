#!/usr/bin/env bash
# Runs the store's tests of TimescaleDB on a server that has the extension: tests/timescale.sh postgres://USER@HOST/DATABASE [ARGUMENTS OF cargo test…]
# Each test makes a database of its own there and drops it by psql: the role must be allowed to create databases and the extension.
set -euo pipefail
if [ $# = 0 ]; then
  echo "usage: tests/timescale.sh postgres://USER@HOST/DATABASE [ARGUMENTS OF cargo test…]" >&2
  exit 2
fi
cd "$(dirname "$0")/.."
# No test here asks Redis anything; every deployment of the tests names one.
export SVIEW_TEST_POSTGRES_URL=$1 SVIEW_TEST_TIMESCALE=1 SVIEW_TEST_REDIS_URL=redis://127.0.0.1:6379/
shift
cargo test -p sview-store --test timescale "$@"
