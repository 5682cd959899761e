#!/usr/bin/env bash
# What an operator reads in the first hour: one row for each wrong, odd or unlucky first command.
#
# scripts/full/first-contact.sh [BINARY]
# stdout: a table (input, exit code, the message), as Markdown. exit: 0 each is one line with the code that is documented, 1 not.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$repo_root"

binary=${1:-}
if [ -z "$binary" ]; then
    cargo build --locked --bin etcdmark
    binary=target/debug/etcdmark
fi
binary=$(realpath "$binary")
line=$(scripts/install-etcd.sh newest)
etcd=${line#* }
scratch=$(mktemp -d)
cd "$scratch"
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$scratch"' EXIT
base=$((20000 + RANDOM % 8000))

# start NAME PORT SCHEME FLAG…: an etcd, ready.
start() {
    local name=$1 url=$3://127.0.0.1:$2 peer=http://127.0.0.1:$(($2 + 1)) _
    shift 3
    "$etcd" --name "$name" --data-dir "$scratch/$name" --listen-client-urls "$url" --advertise-client-urls "$url" \
        --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "$name=$peer" "$@" \
        >"$scratch/$name.log" 2>&1 &
    pids+=($!)
    for _ in $(seq 100); do
        if curl -sk -o /dev/null "$url/health" || grep -q 'ready to serve' "$scratch/$name.log"; then return; fi
        sleep 0.1
    done
    die "$name is not ready"
}
call() { curl -sf -X POST "$1/v3/$2" -d "$3" >/dev/null; }

plain=http://127.0.0.1:$base
start plain "$base" http
auth=http://127.0.0.1:$((base + 10))
start auth $((base + 10)) http
call "$auth" auth/user/add '{"name":"root","password":"root"}'
call "$auth" auth/user/grant '{"user":"root","role":"root"}'
call "$auth" auth/user/add '{"name":"nobody","password":"pw"}'
call "$auth" auth/enable '{}'
tls=https://127.0.0.1:$((base + 20))
start tls $((base + 20)) https --auto-tls
full=http://127.0.0.1:$((base + 30))
start full $((base + 30)) http
call "$full" maintenance/alarm '{"action":"ACTIVATE","alarm":"NOSPACE"}'
live=http://127.0.0.1:$((base + 40))
start live $((base + 40)) http
call "$live" kv/put "{\"key\":\"$(printf /registry/pods/a/b | base64)\",\"value\":\"eA==\"}"
small=http://127.0.0.1:$((base + 50))
start small $((base + 50)) http --quota-backend-bytes=8388608
apart=http://127.0.0.1:$((base + 60))
start apart $((base + 60)) http --listen-client-http-urls "http://127.0.0.1:$((base + 62))"
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 1 -subj /CN=other >/dev/null 2>&1
openssl rsa -aes256 -passout pass:x -in key.pem -out locked.pem >/dev/null 2>&1
printf 'apiVersion: etcdmark/v1alpha2\nkind: Workload\nmetadata:\n\tname: x\n' >tab.yaml
printf 'kind: Deployment\napiVersion: apps/v1\n' >deployment.yaml
mkdir full-dir empty-dir
echo x >full-dir/x

failed=()
printf '| input | exit | message |\n| --- | --- | --- |\n'
# row CODE ARGUMENTS…
row() {
    local code=0 want=$1 lines
    shift
    timeout 60 "$binary" "$@" >said 2>err </dev/null || code=$?
    lines=$(grep -vcE '^(info|warning|etcd |store |watching)' err || true)
    {
        printf '%s\n' "$*"
        printf '%s\n' "$code"
        { grep -E '^error' err || grep '^note' said || cat said err; } | sed -n 1p
    } | sed "s#$scratch/##g; s/|/\\\\|/g" | paste -sd '\t' | sed 's/\t/ | /g; s/^/| /; s/$/ |/'
    if [ "$code" != "$want" ]; then failed+=("$*: exit $code, not $want"); fi
    if [ "$code" != 0 ] && [ "$lines" != 1 ] && [ ! -s said ]; then failed+=("$*: $lines lines"); fi
    if grep -qE 'panicked|RUST_BACKTRACE|hyper|rustls|h2 protocol|os error 1[^01]' err; then failed+=("$*: library text"); fi
}

row 2 inspect
row 2 inspect --endpoints http://127.0.0.1:1
row 2 inspect --endpoints 10.255.255.1:2379 --dial-timeout 300ms
row 2 inspect --endpoints 127.0.0.1
row 2 inspect --endpoints unix:///run/etcd.sock
row 2 inspect --endpoints ::1:2379
row 2 inspect --endpoints "[$plain]"
row 2 inspect --endpoints "'$plain'"
row 0 inspect --endpoints "$plain,"
row 2 inspect --endpoints "$plain/metrics"
row 2 inspect --endpoints "http://root:root@127.0.0.1:$base"
row 2 inspect --endpoints "$plain,$auth"
row 2 inspect --endpoints "$plain,http://localhost:$base"
row 2 inspect --endpoints "http://127.0.0.1:$((base + 1))"
row 2 inspect --endpoints "https://127.0.0.1:$base"
row 2 inspect --endpoints "${tls/https/http}"
row 2 inspect --endpoints "$tls"
row 2 inspect --endpoints "$tls" --cacert cert.pem
row 2 inspect --endpoints "$tls" --cacert missing.pem
row 2 inspect --endpoints "$tls" --cacert key.pem
row 2 inspect --endpoints "$tls" --cert cert.pem
row 2 inspect --endpoints "$tls" --cert cert.pem --key locked.pem
row 0 inspect --endpoints "$tls" --insecure-skip-tls-verify
row 0 inspect --endpoints "$tls" --cacert "$scratch/tls/fixtures/client/cert.pem"
row 2 inspect --endpoints "$auth"
row 2 inspect --endpoints "$auth" --user root:wrong
row 0 inspect --endpoints "$auth" --user nobody:pw
row 0 inspect --endpoints "$apart"
row 0 inspect --endpoints "$full"
row 2 run --endpoints "$full" --nodes 5 --duration 1s
row 2 quota-plan --endpoints "$full" --window 1s
row 2 run --endpoints "$live" --nodes 5 --duration 1s
row 2 run --endpoints "$small" --nodes 5000 --duration 1s
row 2 run --endpoints "$plain" --nodes 5 --prefix /registry
row 2 run --data-dir /proc/x
row 2 run --data-dir full-dir
row 2 run --etcd /bin/true
row 2 run --etcd-version 9.9
row 2 run --nodes 0
row 2 run --nodes 1e9
row 2 run --duration 10
row 2 run --members 2
row 2 run --set cluster.nods=5
row 2 run clustr
row 2 run tab.yaml
row 2 run deployment.yaml
row 2 run --medium hddd
row 2 run --keep-data
row 2 run --out full-dir
row 2 disk not-there
row 2 disk /proc
row 2 experiment version
row 2 experiment versions --arm 9.9
row 2 report empty-dir
row 2 cleanup
row 0 cleanup --endpoints "$plain"
row 2 cleanup --endpoints "$plain" --run-id none
row 2 inspect --kind none
if [ ${#failed[@]} -gt 0 ]; then
    printf '%s\n' "${failed[@]}" >&2
    die "${#failed[@]} rows are not as they should be"
fi
say "every first contact is one line with the documented exit code"
