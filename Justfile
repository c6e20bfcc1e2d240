# What a developer does; `just` lists it.

_list:
    @just --list

# Runs everything on simulated reports
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# Every test over both back ends, with private servers
test *ARGS:
    tests/run.sh {{ARGS}}

# The parser of the live feed's messages, on a million cases of each property
fuzz:
    SVIEW_LONG=1 cargo test -p sview-dynfw --test parsing --release

# Outages of a minute and of ten, which take 24 minutes; the other tests are in `test`
long:
    SVIEW_TEST_OUTAGES=60,600 tests/run.sh --test fleet outages -- --nocapture

# Shows the faults that keep apalis-redis' storage out; a failure says that one is mended
apalis-faults:
    tests/run.sh -p apalis-ledger --features apalis-faults --test apalis_faults

# What a change must pass
ci:
    .ci/run

# Licences, banned crates and sources of all dependencies (cargo install --locked cargo-deny)
deny:
    cargo deny check licenses bans sources

# Known vulnerabilities of dependencies; needs the network, for the database of advisories
advisories:
    cargo deny check advisories

# Dependencies that nothing uses (cargo install --locked cargo-machete)
machete:
    cargo machete --with-metadata

# Banned words, long sentences and commit subjects; `just prose --all` shows everything, `--update` lowers the counts
prose *ARGS:
    tests/prose.py {{ARGS}}

# Spelling
typos:
    bash -c '. tests/services.sh; python_tools; target/test-tools/venv/bin/typos'

# The cheap part of deny and machete, which CI runs
dependencies:
    tests/dependencies.py

# Makes a release; CONTRIBUTING.md says how
release VERSION:
    .ci/release {{VERSION}}

# Formats the code
fmt:
    cargo fmt --all

# Lints, as strictly as CI
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# apalis-ledger with each back end alone, and what it must not depend on
features:
    tests/features.sh

# All pages with made-up data, as files in a directory
gallery DIR:
    cargo run -p sview-views --example gallery -- {{DIR}}

# The figures of docs/performance.md: DIR holds a data set (identity.csv, incidents.csv, passwords.csv, ports.csv)
bench DIR *DATABASE_URL:
    cargo bench -p sview-store --bench statistics -- {{DIR}} {{DATABASE_URL}}

# What a viewer of the live feed costs, and how late it hears
bench-live *ARGS:
    ulimit -n 20000 && cargo bench -p sview --bench live -- {{ARGS}}

# How long pages take while values are computed; DIR is a data directory with reports as of 2026-03-15
bench-refreshing DIR:
    cargo bench -p sview --bench refreshing -- {{DIR}}
