# What people type. `just ready` is what CI runs, because it runs the same file.

# Everything CI checks
ready:
    bash .ci/run

# Format Rust and JavaScript
fmt:
    cargo fmt --all
    npm run --silent format

# Measure this package against its peers: `just bench --quick`
bench *options:
    npm run --silent bench -- {{options}}

# Rebuild the addon and the emulator: fast to build, slow to run
debug:
    npm run build:debug

# Accept changed wire snapshots after looking at them
snapshots:
    INSTA_UPDATE=always cargo test --test wire

# Count the instructions of the hot paths and compare them with bench/counts.json: `just counts --accept` writes the file
counts *options:
    node bench/counts.mjs {{options}}

# Send the emulator 100,000 fuzzed requests: `FUZZ_SEED=7 just fuzz` for others than usual
fuzz:
    FUZZ_REQUESTS=100000 cargo test --release -p omnichannel-link-emulator --test fuzz -- --nocapture

# Measure how many links per second the emulator serves
throughput:
    cargo run --release -p omnichannel-link-emulator --example throughput
