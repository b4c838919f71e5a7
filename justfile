# What developers type. Each line can be typed without just, too.

# The list of these.
default:
    @just --list

# The server with a simulated market.
demo *arguments:
    cargo run --release -- --demo {{arguments}}

# Every test, with what they need.
test *arguments:
    scripts/test {{arguments}}

# What must hold before a commit.
lint:
    cargo fmt --check
    cargo clippy --release --all-targets -- -D warnings

# Licences, sources and duplicates of the dependencies.
deny:
    cargo deny check licenses bans sources

# The benches.
bench *arguments:
    cargo bench --profile release {{arguments}}

# Everything that the build server checks.
ci:
    .ci/run
