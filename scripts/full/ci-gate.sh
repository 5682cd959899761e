#!/usr/bin/env bash
# Plays the step of CI jobs (action.yml's lines, and by them scripts/ci-gate.sh) on etcds of which the answer is known: the same
# etcd twice (exit code 0), one that commits its backend after every second write (97), one below its thresholds (99), and
# this project's own bounded gate: a smoke test of two versions.
# About 3 minutes. ETCDMARK: a binary; default: built. ETCDMARK_KEEP=DIR keeps the summaries.
# exit: 0 every step ended as it should; 1 one did not.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$repo_root"

if [ -z "${ETCDMARK:-}" ]; then
    cargo build --profile quick
    ETCDMARK=$repo_root/target/quick/etcdmark
fi
export ETCDMARK
read -r version etcd < <(scripts/install-etcd.sh newest)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A gate of seconds: its metric, commits per operation, has hardly any noise where a commit needs no disk.
data=$work/data
if [ -d /dev/shm ] && [ -w /dev/shm ]; then
    data=$(mktemp -d /dev/shm/etcdmark-XXXXXX)
    trap 'rm -rf "$work" "$data"' EXIT
fi
mkdir -p "$data"
cat >"$work/gate.yaml" <<YAML
apiVersion: etcdmark/v1alpha2
kind: Experiment
metadata:
  name: ci-gate
spec:
  question: Is the head worse?
  workload:
    name: node-heartbeats
    set: [cluster.nodes=10, actors.node-leases.period=100ms]
  arms:
    - name: base
      etcd: {version: "$version"}
    - name: head
      etcd: {version: "$version", flags: ["--snapshot-count=5000"]}
  analysis: gate
  gate:
    metrics:
      - {metric: "etcd:commits-per-op", delta: 30%}
      - {metric: "all:errors", delta: 50%}
  metrics: ["node-lease/update:p99"]
  phases: {settle: 0s, warmup: 0s, duration: 1s}
YAML

# The lines of action.yml, which GitHub gives to a shell with the inputs as environment.
sed -n '/^      run: |$/,$p' action.yml | sed -e 1d -e 's/^        //' >"$work/action.sh"

# expect CODE NAME compare BASE HEAD [FLAG…] | run WORKLOAD '' [FLAG…]: the step, as GitHub runs it.
expect() {
    local code=0 wanted=$1 name=$2 command=$3 first=$4 second=$5
    shift 5
    step "$name: exit code $wanted is right"
    local base=$first workload=
    if [ "$command" = run ]; then base='' workload=$first; fi
    env ACTION="$repo_root" COMMAND="$command" BASE="$base" HEAD="$second" WORKLOAD="$workload" \
        ARGS="$(printf '%s\n' "$@" --quiet)" GITHUB_ACTIONS=true GITHUB_STEP_SUMMARY="$work/$name.md" \
        GITHUB_OUTPUT="$work/$name.output" ETCDMARK_OUT="$work/$name" \
        bash --noprofile --norc -eo pipefail "$work/action.sh" >"$work/$name.log" || code=$?
    tail -n 4 "$work/$name.log" >&2
    [ "$code" = "$wanted" ] || die "$name ended with $code instead of $wanted: $(head -n 1 "$work/$name.log")"
    grep -qx "exit-code=$wanted" "$work/$name.output" || die "$name: the output exit-code is not $wanted"
}

# The same program in a file that differs: a byte after its end. Twice the same file is no question, and is refused.
copy=$work/etcd-head
cp "$etcd" "$copy"
echo >>"$copy"
expect 0 same compare "$etcd" "$copy" --gate="$work/gate.yaml" --data-dir="$data" --seed=1
grep -q '✅ equivalent' "$work/same.md" || die "the summary of the same etcd does not say equivalent"
if grep -q '^::error' "$work/same.log"; then die "the same etcd has an error"; fi

expect 97 slowed compare "$etcd" "$copy" --gate="$work/gate.yaml" --data-dir="$data" --seed=1 \
    --head-flag=--backend-batch-limit=2
grep -q '❌ \*\*worse\*\*' "$work/slowed.md" || die "the summary of the slowed etcd does not say worse"
grep -q '^::error title=etcdmark%3A gate etcd%3Acommits-per-op worse::' "$work/slowed.log" || die "no annotation"
grep -q '<failure ' "$work/slowed/junit.xml" || die "no failure in junit.xml"

expect 99 thresholds run node-heartbeats '' --etcd="$etcd" --nodes=10 --duration=3s \
    '--threshold=node-lease/update p99 < 1us'
expect 0 versions compare 3.6 3.7 --smoke
expect 2 refused compare 3.6 nonsense

if [ -n "${ETCDMARK_KEEP:-}" ]; then
    mkdir -p "$ETCDMARK_KEEP"
    cp "$work"/*.md "$work"/*.log "$ETCDMARK_KEEP"
fi
say "every step ended as it should"
