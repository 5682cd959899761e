#!/usr/bin/env bash
# All everyday checks: format, clippy, every test on the newest etcd, the tests of tests/versions.rs on one
# release of each older series that this machine can get. Sets up what it needs, as quickstart.sh does.
#
# scripts/test.sh [FILTER…]     arguments go to the tests on the newest etcd, after `--`.
# exit: 0 all passed; 1 something failed (everything is run all the same).
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$repo_root"

OLDER_SERIES='3.6 3.5 3.4'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=()
fail() {
    failures+=("$1")
    say "FAILED: $1"
}

# tests LOG CARGO-ARGUMENTS… -- TEST-ARGUMENTS…: `cargo test` with per-test times. libtest reads
# RUSTC_BOOTSTRAP when it runs, and rustc when it compiles, so it is set for the run only: it would change the
# fingerprint of every crate otherwise.
run_tests() {
    local log=$1
    shift
    local cargo_args=() test_args=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        cargo_args+=("$1")
        shift
    done
    if [ $# -gt 0 ]; then shift; fi
    test_args=("$@")
    nice cargo test --locked --no-run "${cargo_args[@]}" || return 1
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER=$work/timed \
        CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=$work/timed \
        nice cargo test --locked --no-fail-fast "${cargo_args[@]}" -- "${test_args[@]}" 2>&1 | tee "$log"
}
# Runs one test binary with times; doc tests and benches have other harnesses and do not come through here.
cat >"$work/timed" <<'RUNNER'
#!/bin/sh
program=$1
shift
case $program in
    */deps/*) RUSTC_BOOTSTRAP=1 exec "$program" -Zunstable-options --report-time "$@" ;;
    *) exec "$program" "$@" ;;
esac
RUNNER
chmod 755 "$work/timed"

require_build_tools
require_checkers

step "etcd"
newest=
if newest=$(scripts/install-etcd.sh newest); then
    used="etcd ${newest%% *}: all tests"
else
    die "the newest etcd ($NEWEST_SERIES) cannot be provided: see the attempts above"
fi
older=()
for series in $OLDER_SERIES; do
    if line=$(scripts/install-etcd.sh "$series" 2>"$work/install.log"); then
        older+=("$line")
        used="$used
etcd ${line%% *}: the tests of tests/versions.rs"
    else
        cat "$work/install.log" >&2
        used="$used
etcd $series: skipped, cannot be provided here ($(grep -v trying "$work/install.log" | sed 's/^ *//' | paste -sd ';'))"
    fi
done

step "format"
cargo fmt --check || fail "cargo fmt --check (run 'cargo fmt')"
# A macro declares these modules, and cargo fmt does not look into macros.
rustfmt --check --edition 2024 src/kube/actors/*.rs || fail "rustfmt --check src/kube/actors/*.rs"

if have shellcheck; then
    step "shellcheck"
    shellcheck -x -P scripts scripts/*.sh scripts/full/*.sh .ci/run || fail "shellcheck"
fi

step "clippy"
nice cargo clippy --locked --all-targets -- -D warnings || fail "cargo clippy"

step "all tests on etcd ${newest%% *}"
ETCDMARK_TEST_ETCD=${newest#* } run_tests "$work/newest.log" -- "$@" || fail "tests on etcd ${newest%% *}"

if [ -f tests/versions.rs ]; then
    for line in "${older[@]}"; do
        step "tests/versions.rs on etcd ${line%% *}"
        ETCDMARK_TEST_ETCD=${line#* } run_tests "$work/${line%% *}.log" --test versions -- ||
            fail "tests on etcd ${line%% *}"
    done
else
    used="$used
older etcds: nothing was run, there is no tests/versions.rs"
fi

step "the ten slowest tests"
cat "$work"/*.log | sed -n 's/^test \(.*\) \.\.\. [a-zA-Z]* <\([0-9.]*\)s>$/\2 s  \1/p' | sort -rn | sed -n '1,10p'

step "versions of etcd"
printf '%s\n' "$used"

step "test runner's closing lines"
grep -h '^test result:' "$work"/*.log || true
if [ ${#failures[@]} -gt 0 ]; then
    printf 'FAILED: %s\n' "${failures[@]}"
    exit 1
fi
echo "all checks passed"
