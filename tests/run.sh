#!/usr/bin/env bash
# Runs every test over both back ends: tests/run.sh [ARGUMENTS OF cargo test…]
# Installs what is missing (as root on Debian; else says what to install), starts private servers on free ports, stops them at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/services.sh
need cc gcc libc6-dev
need chromium chromium
need chromedriver chromium-driver
need curl curl
need nft nftables
need ipset ipset
python_tools
node_tools
start_services
# With -p PACKAGE only that package is built and tested; cargo builds the program for its own tests.
case " $* " in
  *" -p "* | *" --package"*) cargo test "$@" ;;
  *)
    cargo build --workspace --quiet
    cargo test --workspace "$@"
    ;;
esac
