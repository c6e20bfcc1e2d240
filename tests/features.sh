#!/usr/bin/env bash
# Checks what apalis-ledger promises to those who use it alone: each back end compiles without the other and without a warning, no
# back end is an error that says so, and no crate of sview is among its dependencies.
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "features: $*" >&2; exit 1; }

ledger=(-p apalis-ledger --no-default-features)
for feature in redis sqlite; do
  cargo clippy --quiet "${ledger[@]}" --features "$feature" --all-targets -- -D warnings || fail "apalis-ledger with $feature alone"
done
if errors=$(cargo check --quiet "${ledger[@]}" --lib 2>&1); then fail "apalis-ledger compiles without a back end"; fi
grep -q "needs a back end" <<<"$errors" || fail "apalis-ledger without a back end does not say what it needs: $errors"

tree=$(cargo tree -p apalis-ledger -e all --all-features --target all --prefix none) || fail "cargo tree"
if grep "^sview" <<<"$tree"; then fail "apalis-ledger depends on crates of sview"; fi
grep -q "^sqlx v" <<<"$tree" || fail "cargo tree shows nothing of apalis-ledger"
echo "features: apalis-ledger is whole with either back end, and knows nothing of sview"
