#!/bin/sh
# Starts the server, and builds it first if there is no program yet. All arguments go to it, for example
#   scripts/start_observability.sh --dev
#   scripts/start_observability.sh --workers 4 --port 8080
# OBSERVABILITY_API names a program to start in place of the one built here.
set -eu
cd "$(dirname "$0")/.."

program="${OBSERVABILITY_API:-${CARGO_TARGET_DIR:-target}/release/observability-api}"

if [ ! -x "$program" ]; then
    if [ -n "${OBSERVABILITY_API:-}" ]; then
        echo "start_observability.sh: OBSERVABILITY_API names $program, which cannot be executed" >&2
        exit 2
    fi
    if ! command -v cargo >/dev/null 2>&1; then
        echo "start_observability.sh: there is no $program, and no cargo to build it: install Rust first" >&2
        exit 2
    fi
    echo "start_observability.sh: building the server; the first build compiles DuckDB and takes a while" >&2
    cargo build --release --bin observability-api
fi

exec "$program" "$@"
