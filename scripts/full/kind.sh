#!/usr/bin/env bash
# Evidence that --kind works on real kind clusters: one and three control planes, with and without a
# published etcd port, a stopped and a paused node, a wrong name, an engine that is down.
#
#   KIND_FROM_PARTS=DIR scripts/full/kind.sh
#
# DIR holds build.sh, up.sh and down.sh, which make real kind clusters where no image can be pulled:
#   build.sh WORK, [CONTROL_PLANES=n] up.sh WORK NAME [PORT], down.sh WORK [NAME...].
# Environment: KIND_WORK (what build.sh makes; default: the cache folder), ETCDMARK (the binary; default:
# target/release/etcdmark), KIND_SECONDS (length of each run, default 10). Needs root, 12 GB of disk.
# Skipped with a message, exit 0, where KIND_FROM_PARTS is not set.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -z "${KIND_FROM_PARTS:-}" ]; then
  echo "kind.sh: skipped: set KIND_FROM_PARTS to the folder with build.sh, up.sh and down.sh"
  exit 0
fi
parts=$(cd "$KIND_FROM_PARTS" && pwd)
work=${KIND_WORK:-${ETCDMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/etcdmark}/kind}
etcdmark=${ETCDMARK:-target/release/etcdmark}
seconds=${KIND_SECONDS:-10}
[ -x "$etcdmark" ] || { echo "kind.sh: no $etcdmark: run cargo build --release (or set ETCDMARK)" >&2; exit 1; }
mkdir -p "$work"
work=$(cd "$work" && pwd)
out=$(mktemp -d)
failures=0
made=()

finish() {
  # Only the clusters that this script made.
  [ ${#made[@]} = 0 ] || "$parts/down.sh" "$work" "${made[@]}" >/dev/null 2>&1 || true
  rm -rf "$out"
}
trap finish EXIT

say() { printf '\n== %s\n' "$*"; }
fail() { echo "FAILED: $*" >&2; failures=$((failures + 1)); }

# expect WORDS COMMAND...: the command must fail and say WORDS
expect() {
  local words=$1 code=0
  shift
  echo "\$ $*"
  "$@" >"$out/said" 2>&1 || code=$?
  sed 's/^/  /' "$out/said"
  [ "$code" != 0 ] || fail "$* succeeded"
  grep -qF -- "$words" "$out/said" || fail "$* did not say: $words"
}

# works COMMAND...: the command must succeed
works() {
  local code=0
  echo "\$ $*"
  "$@" >"$out/said" 2>&1 || code=$?
  sed 's/^/  /' "$out/said"
  [ "$code" = 0 ] || fail "$* exited with $code"
}

# says WORDS: what the last command said
says() { grep -qF -- "$1" "$out/said" || fail "the last command did not say: $1"; }

# ran CLUSTER NAME FLAG...: a run must end in good order. The generator shares its cores with a whole cluster
# here, so that its numbers may be called invalid (98); nothing else may be wrong.
ran() {
  local cluster=$1 name=$2 code=0
  shift 2
  set -- "$etcdmark" run node-heartbeats --kind "$cluster" --allow-live-cluster --nodes 200 \
    --duration "${seconds}s" --out "$out/$name" "$@"
  echo "\$ $*"
  "$@" >"$out/said" 2>&1 || code=$?
  sed 's/^/  /' "$out/said"
  case $code in 0 | 98) ;; *) fail "$* exited with $code" ;; esac
  grep -q '"type":"server"' "$out/$name/events.jsonl" || fail "no server metrics in $name"
  grep -q '"type":"verify".*"lost":0' "$out/$name/events.jsonl" || fail "no sweep, or lost writes, in $name"
}

# whole NAME: inspect, refused without leave, run, nothing left
whole() {
  works "$etcdmark" inspect --kind "$1"
  expect "--allow-live-cluster" "$etcdmark" run node-heartbeats --kind "$1" --nodes 50 --duration 1s --out "$out/refused-$1"
  ran "$1" "run-$1"
  works "$etcdmark" cleanup --kind "$1" --all
  says "nothing to delete"
  works kubectl --kubeconfig "$work/$1.kubeconfig" get nodes
}

up() {
  say "kind cluster $1: ${CONTROL_PLANES:-1} control plane(s), etcd's port ${2:-not} published"
  made+=("$1")
  "$parts/up.sh" "$work" "$@" >"$out/up.log" 2>&1 || { tail -20 "$out/up.log" >&2; exit 1; }
}

down() {
  "$parts/down.sh" "$work" "$1" >/dev/null 2>&1
  local left=() name
  for name in "${made[@]}"; do [ "$name" = "$1" ] || left+=("$name"); done
  made=(${left[@]+"${left[@]}"})
}

say "build (skips what is there)"
"$parts/build.sh" "$work"
export DOCKER_HOST="unix://$work/engine/docker.sock" PATH="$work/bin:$PATH"

up em-one 32379
whole em-one
say "keys that were kept, and their cleanup"
ran em-one kept --keep-data
says "etcdmark cleanup --kind em-one"
works "$etcdmark" cleanup --kind em-one --all
says "keys deleted"
says "does not shrink"
expect "did you mean --kind em-one?" "$etcdmark" inspect --kind em-oen
say "paused, stopped, started again"
docker pause em-one-control-plane >/dev/null
expect "docker unpause em-one-control-plane" "$etcdmark" inspect --kind em-one
docker unpause em-one-control-plane >/dev/null
docker stop -t 30 em-one-control-plane >/dev/null
expect "docker start em-one-control-plane" "$etcdmark" inspect --kind em-one
docker start em-one-control-plane >/dev/null
for _ in $(seq 60); do "$etcdmark" inspect --kind em-one >/dev/null 2>&1 && break; sleep 1; done
works "$etcdmark" inspect --kind em-one
down em-one

up em-plain
whole em-plain
down em-plain

export CONTROL_PLANES=3
up em-three 33379
whole em-three
say "one of three stopped: goes on with the other two"
docker stop -t 30 em-three-control-plane3 >/dev/null
works "$etcdmark" inspect --kind em-three
says "em-three-control-plane3 is exited"
ran em-three run-two-of-three
down em-three

up em-three-plain
whole em-three-plain
down em-three-plain
unset CONTROL_PLANES

say "engine down"
DOCKER_HOST="unix://$out/nobody.sock" expect "the container engine does not answer" "$etcdmark" inspect --kind em-one

if [ "$failures" != 0 ]; then
  echo "kind.sh: $failures check(s) failed" >&2
  exit 1
fi
say "kind.sh: all checks passed"
