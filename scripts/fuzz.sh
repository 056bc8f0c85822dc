#!/usr/bin/env bash
# Fuzzes what takes bytes from outside: scripts/fuzz.sh [SECONDS PER TARGET] [TARGET ...]
# With 0 seconds it builds, and runs the stored corpus only.
#
# The stored corpus (fuzz/corpus) runs first, then each target for its time. Any crash, time-out or want of memory fails
# the script, which then says where the input lies and how to run it again. New inputs stay in target/fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds="${1:-60}"
shift || true
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    targets=(codecs pipeline criteria config)
fi

# An input is for a record of some kilobytes; a second is far more than it may take, even on a machine under load.
limits=(-timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=1024 -max_len=8192)

tools="$PWD/target/tools"
if ! PATH="$tools/bin:$PATH" command -v cargo-fuzz >/dev/null; then
    CARGO_TARGET_DIR="$tools/build" CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        cargo install --locked --root "$tools" cargo-fuzz --version "^0.13"
fi

# Without a sanitizer no nightly compiler is needed: the code has no `unsafe`, and panics, hangs and memory are seen anyway.
PATH="$tools/bin:$PATH" CARGO_TARGET_DIR="$PWD/target/fuzz" cargo fuzz build --fuzz-dir fuzz --sanitizer none -O
binaries="target/fuzz/$(rustc -vV | sed -n 's/^host: //p')/release"

run() {
    local target="$1"
    shift
    local log="target/fuzz/$target.log"
    # The stack of a task's thread.
    if (ulimit -s 2048 && exec "$binaries/$target" -artifact_prefix="target/fuzz/artifacts/$target-" \
        "${limits[@]}" "$@") >"$log" 2>&1; then
        tail -n 1 "$log"
        return 0
    fi
    tail -n 40 "$log" >&2
    local artefact
    artefact="$(sed -n "s/.*Test unit written to //p" "$log" | tail -n 1)"
    printf '\n!!! target %s failed; its input: %s\n    again: %s/%s %s\n    then keep it in fuzz/corpus/%s with a test\n' \
        "$target" "${artefact:-see $log}" "$binaries" "$target" "${artefact:-FILE}" "$target" >&2
    return 1
}

mkdir -p target/fuzz/artifacts
failed=0
for target in "${targets[@]}"; do
    found="target/fuzz/corpus/$target"
    mkdir -p "$found"
    printf '%s: stored corpus: ' "$target"
    run "$target" -runs=0 "fuzz/corpus/$target" || { failed=1; continue; }
    [ "$seconds" -gt 0 ] || continue
    printf '%s: %s s: ' "$target" "$seconds"
    run "$target" -max_total_time="$seconds" -print_final_stats=1 "$found" "fuzz/corpus/$target" || failed=1
done
exit "$failed"
