# shellcheck shell=bash
# Shared by the bench-*.sh scripts, which source it: an etcd of their own, pinned to core 0, its data on
# tmpfs (the disk is not the question), and what `etcdmark run` left in its result.
#
#   ETCDMARK_ETCD=/path/to/etcd chooses the etcd, ETCDMARK=/path/to/etcdmark the etcdmark,
#   BENCH_DIR the directory (default /dev/shm)

fail() {
    echo "$*" >&2
    exit 1
}

need() {
    command -v "$1" >/dev/null || fail "$1 is missing (apt-get install $2)"
}

need taskset util-linux
need jq jq
[ "$(nproc)" -ge 2 ] || fail "needs two cores: one for etcd, one for the client"

etcd=${ETCDMARK_ETCD:-$(find "$HOME/.cache/etcdmark/etcd" -mindepth 2 -maxdepth 2 -name etcd 2>/dev/null | sort -V | tail -1 || true)}
[ -n "$etcd" ] || etcd=$(command -v etcd) || fail "no etcd: run scripts/install-etcd.sh"

etcdmark=${ETCDMARK:-target/release/etcdmark}
[ -n "${ETCDMARK:-}" ] || cargo build --release --bin etcdmark

work=$(mktemp -d "${BENCH_DIR:-/dev/shm}/etcdmark-bench.XXXXXX")
etcd_pid=

stop_etcd() {
    [ -z "$etcd_pid" ] || kill "$etcd_pid" 2>/dev/null || true
    [ -z "$etcd_pid" ] || wait "$etcd_pid" 2>/dev/null || true
    etcd_pid=
    rm -rf "$work/data"
}
trap 'stop_etcd; rm -rf "$work"' EXIT

# Starts an empty etcd; sets $url.
start_etcd() {
    local port=$((20000 + RANDOM % 10000))
    url=http://127.0.0.1:$port
    taskset -c 0 "$etcd" --data-dir "$work/data" --logger zap --log-level error --quota-backend-bytes 8589934592 \
        --listen-client-urls "$url" --advertise-client-urls "$url" \
        --listen-peer-urls "http://127.0.0.1:$((port + 1))" \
        --initial-advertise-peer-urls "http://127.0.0.1:$((port + 1))" \
        --initial-cluster "default=http://127.0.0.1:$((port + 1))" >"$work/etcd.log" 2>&1 &
    etcd_pid=$!
    for _ in $(seq 100); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
        sleep 0.1
    done
    sleep 1
}

# mark NAME ARGS...: etcdmark on core 1 (CORES chooses others); its result is $work/NAME/result.json.
mark() {
    local name=$1
    shift
    rm -rf "${work:?}/$name"
    taskset -c "${CORES:-1}" "$etcdmark" run "$@" --endpoints "$url" --guards none --quiet \
        --out "$work/$name" >"$work/$name.txt" 2>&1 || [ $? -eq 98 ] || { cat "$work/$name.txt" >&2; exit 1; }
}

# result NAME FILTER: from that run's result.
result() {
    jq -r "$2" "$work/$1/result.json"
}

machine() {
    echo "$(uname -srm), $(nproc) CPUs, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1); $("$etcd" --version | head -1); load $(cut -d' ' -f1 /proc/loadavg); $(date -u +%F)"
}
