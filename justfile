# `just` lists these.
[private]
default:
    @just --list

# The main job, from nothing, on a copy of the sample project
demo:
    scripts/demo.sh

# Everything that has to hold: format, clippy, all tests; arguments go to cargo-nextest
test *args:
    scripts/test.sh {{ args }}

# Format the code
fmt:
    cargo fmt

# What can be said without running anything
lint:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    shellcheck scripts/*.sh compose/*.sh .ci/run

# Build devdb
build *args:
    cargo build {{ args }}

# Install devdb for this user
install:
    cargo install --locked --path .

# Build the image devdb/pgvector:pg17 from Debian packages
image *args:
    compose/build.sh {{ args }}

# Start the integration tests' server and print its URL
test-server *args:
    scripts/test-server.sh {{ args }}

# Accept changed snapshots, after looking at them
review:
    cargo insta review

# Remove what building and testing left on this machine
clean:
    scripts/test-server.sh --stop
    cargo clean
