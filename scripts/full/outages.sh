#!/usr/bin/env bash
# What etcdmark says when an etcd of one or three members is killed, frozen, slow, restored from an old copy, wiped or
# replaced, when a second store is down, and when the keys are somebody else's: each beside what was done and is true.
#
# scripts/full/outages.sh [BINARY [SCENARIO]]
# BINARY: an etcdmark (default: built here). SCENARIO: an extended regular expression for the names to play (default: all).
# stdout: a table, one scenario a row, as Markdown. exit: 0 every word was true, 1 not.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$repo_root"

binary=${1:-}
wanted=${2:-.}
if [ -z "$binary" ]; then
    cargo build --locked --bin etcdmark
    binary=target/debug/etcdmark
fi
line=$(scripts/install-etcd.sh newest)
etcd=${line#* }
binary=$(realpath "$binary")
scratch=$(mktemp -d)
cd "$scratch"
declare -A pids=()
# Every process of this script, a frozen one too.
end_all() {
    local pid
    for pid in "${pids[@]}" $(jobs -p); do
        kill -KILL "$pid" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    pids=()
}
trap 'end_all; rm -rf "$scratch"' EXIT
base=$((20000 + RANDOM % 8000))

client() { echo "http://127.0.0.1:$((base + 2 * $1))"; }
peer() { echo "http://127.0.0.1:$((base + 2 * $1 + 1))"; }
# endpoints N: of members 0 to N-1
endpoints() {
    local i all=
    for ((i = 0; i < $1; i++)); do all+=,$(client "$i"); done
    echo "${all:1}"
}
# start MEMBER OF TOKEN: one of OF members, whose numbers begin at the store's first.
start() {
    local i first=$(($1 / 10 * 10)) peers=
    for ((i = first; i < first + $2; i++)); do peers+=,m$i=$(peer "$i"); done
    "$etcd" --name "m$1" --data-dir "$scratch/m$1" --listen-client-urls "$(client "$1")" \
        --advertise-client-urls "$(client "$1")" --listen-peer-urls "$(peer "$1")" \
        --initial-advertise-peer-urls "$(peer "$1")" --initial-cluster "${peers:1}" \
        --initial-cluster-token "$3" >>"$scratch/m$1.log" 2>&1 &
    pids[$1]=$!
}
# comes_up MEMBER: within 20 s, unless it ends
comes_up() {
    local _
    for _ in $(seq 200); do
        if curl -sf -m 1 "$(client "$1")/health" >/dev/null; then return; fi
        kill -0 "${pids[$1]}" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}
ready() { comes_up "$1" || die "member $1 is not ready: $(tail -n 3 "$scratch/m$1.log")"; }
stop() {
    kill -KILL "${pids[$1]}"
    { wait "${pids[$1]}" || true; } 2>/dev/null
    unset "pids[$1]"
}
call() { curl -sf -m 5 -X POST "$(client "$1")/v3/$2" -d "$3"; }
b64() { printf '%s' "$1" | base64 -w 0; }
revision() { call "$1" kv/range '{"key":"AA==","serializable":true}' | jq -r .header.revision; }
put() { call "$1" kv/put "{\"key\":\"$(b64 "$2")\",\"value\":\"$(b64 x)\"}" >/dev/null; }
keys() { call "$1" kv/range '{"key":"AA==","range_end":"AA==","count_only":true}' | jq -r '.count // "0"'; }
# The member that leads, of three.
leader() {
    local id i
    id=$(call 0 maintenance/status '{}' | jq -r .leader)
    for i in 0 1 2; do
        if [ "$(call "$i" maintenance/status '{}' | jq -r .header.member_id)" = "$id" ]; then
            echo "$i"
            return
        fi
    done
    die "no member leads"
}

# What was done to the etcd of a run; each sets $truth.
kill_and_restart() { # MEMBER OF
    stop "$1"
    sleep 5
    start "$1" "$2" one
    ready "$1"
    truth="killed for 5 s, restarted on its own data"
}
freeze() { # MEMBER
    kill -STOP "${pids[$1]}"
    sleep 10
    kill -CONT "${pids[$1]}"
    truth="frozen for 10 s"
}
# Nine tenths of its time it stands still.
slow() { # MEMBER
    local _
    for _ in $(seq 80); do
        kill -STOP "${pids[$1]}"
        sleep 0.09
        kill -CONT "${pids[$1]}"
        sleep 0.01
    done
    truth="ten times as slow for 8 s"
}
restore() { # MEMBER OF
    local was now
    kill -STOP "${pids[$1]}"
    cp -a "$scratch/m$1" "$scratch/old"
    kill -CONT "${pids[$1]}"
    sleep 4
    was=$(revision "$1")
    stop "$1"
    rm -rf "$scratch/m$1"
    mv "$scratch/old" "$scratch/m$1"
    start "$1" "$2" one
    ready "$1"
    now=$(revision "$1")
    truth="restarted on a copy that was 4 s old: revision $was, then $now"
}
# Its copy is taken, it is down until the others have elected another leader, and comes back on the copy.
restore_one_of_three() { # MEMBER
    kill -STOP "${pids[$1]}"
    cp -a "$scratch/m$1" "$scratch/old"
    kill -CONT "${pids[$1]}"
    sleep 1
    stop "$1"
    sleep 4
    rm -rf "$scratch/m$1"
    mv "$scratch/old" "$scratch/m$1"
    start "$1" 3 one
    if comes_up "$1"; then
        truth="one of three restarted on an old copy: the others had everything"
    else
        # The leader has not forgotten what a follower had acknowledged ("tocommit is out of range").
        truth="one of three panicked on an old copy and stayed down: the others had everything"
    fi
}
wipe() { # MEMBER
    local was
    was=$(revision "$1")
    stop "$1"
    rm -rf "$scratch/m$1"
    start "$1" 1 one
    ready "$1"
    truth="restarted on an empty directory: revision $was, then $(revision "$1")"
}
replace() { # OF
    local i
    for ((i = 0; i < $1; i++)); do stop "$i"; rm -rf "$scratch/m$i"; done
    for ((i = 0; i < $1; i++)); do start "$i" "$1" another; done
    for ((i = 0; i < $1; i++)); do ready "$i"; done
    truth="another cluster at the same address"
}
lose_quorum() {
    stop 1
    stop 2
    sleep 6
    start 1 3 one
    start 2 3 one
    ready 1
    ready 2
    truth="two of three killed for 6 s"
}
second_store() {
    stop 10
    sleep 5
    start 10 1 one
    ready 10
    truth="the etcd for Events killed for 5 s, restarted on its own data"
}

failures=() rows=()
# holds SCENARIO EXIT WANTED FORBIDDEN: what $scratch/said, $code are held to; the row is kept.
holds() {
    local name=$1 exit=$2 must=$3 never=$4 said first wrong=
    said=$(tr '\n' ' ' <"$scratch/said" | tr -s ' ')
    first=$(head -n 1 "$scratch/said")
    case " $exit " in *" $code "*) ;; *) wrong+=" exit $code, not $exit;" ;; esac
    while IFS= read -r must; do
        if ! grep -qE -- "$must" <<<"$said"; then wrong+=" does not say \"$must\";"; fi
    done <<<"$must"
    if [ -n "$never" ] && grep -qE -- "$never" <<<"$said"; then wrong+=" says \"$(grep -oE -- "$never" <<<"$said" | sed -n 1p)\";"; fi
    rows+=("| $name | $truth | ${first//|/\\|} | $code | ${wrong:-as it should be} |")
    if [ -n "$wrong" ]; then
        failures+=("$name")
        say "$name:$wrong"
        cat "$scratch/said" "$scratch/err" >&2
    fi
}
# run NAME MEMBERS EXIT WANTED FORBIDDEN ACTION…: a load of 30 s on MEMBERS members, and after 5 s of it the ACTION.
run() {
    local name=$1 members=$2 exit=$3 must=$4 never=$5 i more=() runner
    shift 5
    if ! grep -qE -- "$wanted" <<<"$name"; then return; fi
    step "$name"
    for ((i = 0; i < members; i++)); do start "$i" "$members" one; done
    for ((i = 0; i < members; i++)); do ready "$i"; done
    if [ "$1" = second_store ]; then
        start 10 1 one
        ready 10
        more=(--overrides "/events#$(client 10)")
    fi
    local load=(node-heartbeats --set actors.node-leases.period=1s)
    if [ ${#more[@]} -gt 0 ]; then load=(cluster --set actors.events.rate=40); fi
    "$binary" run "${load[@]}" --nodes 60 --set phases.settle=0s --warmup 0s --duration 30s --guards none \
        --endpoints "$(endpoints "$members")" "${more[@]}" --out "$scratch/out" --quiet >"$scratch/said" 2>"$scratch/err" &
    runner=$!
    for _ in $(seq 300); do
        if grep -qs '"phase":"measure"' "$scratch/out/events.jsonl"; then break; fi
        sleep 0.1
    done
    sleep 5
    case ${2:-} in
        leader) i=$(leader) ;;
        follower) i=$((($(leader) + 1) % 3)) ;;
        *) i=${2:-} ;;
    esac
    "$1" "$i" "$members"
    code=0
    wait "$runner" || code=$?
    holds "$name" "$exit" "$must" "$never"
    end_all
    rm -rf "${scratch:?}"/m* "$scratch/out" "$scratch/old"
}

LOST='acknowledged writes are missing
, [0-9,]+ lost'
WELL='none lost'
BLAME='find the rate|DISAGREES|saturated:|[1-9][0-9,]* lost'
run 'killed, 1 member' 1 '0 98' "$WELL
was down for [0-9.]+ s" "$BLAME" kill_and_restart 0
run 'frozen, 1 member' 1 '0 98' "$WELL
hung for (9|1[0-9])
nothing succeeded for ([89]|1[0-9])" "$BLAME" freeze 0
run 'slow, 1 member' 1 '0 98' "$WELL" '[1-9][0-9,]* lost|DISAGREES' slow 0
run 'restored from an old copy, 1 member' 1 1 "$LOST
the revision went back from" 'none lost' restore 0
run 'wiped, 1 member' 1 1 "$LOST" 'none lost' wipe 0
run 'replaced by another cluster, 1 member' 1 1 "$LOST
cluster [0-9a-f]+ was answering, now it is cluster [0-9a-f]+" 'none lost' replace 1
run 'second store killed' 1 '0 98' "$WELL
events" '[1-9][0-9,]* lost|DISAGREES' second_store
for who in follower leader; do
    run "killed $who, 3 members" 3 '0 98' "$WELL
was down for [0-9.]+ s" "$BLAME" kill_and_restart $who
    run "frozen $who, 3 members" 3 '0 98' "$WELL
hung for (9|1[0-9])" "$BLAME" freeze $who
    run "slow $who, 3 members" 3 '0 98' "$WELL" '[1-9][0-9,]* lost|DISAGREES' slow $who
    run "restored $who, 3 members" 3 '0 98' "$WELL" '[1-9][0-9,]* lost' restore_one_of_three $who
done
run 'two of three killed' 3 '0 98' "$WELL
was down for [0-9.]+ s" "$BLAME" lose_quorum
run 'replaced by another cluster, 3 members' 3 1 "$LOST
cluster [0-9a-f]+ was answering, now it is cluster [0-9a-f]+" 'none lost' replace 3

# asked NAME EXIT WANTED FORBIDDEN COMMAND…: what a command says of the etcd that is there.
asked() {
    local name=$1 exit=$2 must=$3 never=$4
    shift 4
    code=0
    "$binary" "$@" >"$scratch/out.said" 2>"$scratch/err" || code=$?
    cat "$scratch/out.said" "$scratch/err" >"$scratch/said"
    : >"$scratch/err"
    holds "$name" "$exit" "$must" "$never"
}
here=(--endpoints "$(client 0)")
load=(node-heartbeats --nodes 20 --set phases.settle=0s --warmup 0s --duration 3s --quiet)
for key in /kubernetes.io/pods/a/b /tenant-7/pods/a/b compact_rev_key /my-application/x; do
    name="a store that holds $key"
    if ! grep -qE -- "$wanted" <<<"$name"; then continue; fi
    step "$name"
    start 0 1 one
    ready 0
    put 0 "$key"
    truth="1 key, $key, is there before"
    asked "$name: run" 2 'allow-live-cluster' '' run "${load[@]}" "${here[@]}"
    # A Kubernetes-like prefix is named.
    case $key in
        */pods/*) shown=${key%%/pods*} ;;
        *) shown='1 others' ;;
    esac
    asked "$name: inspect" 0 "$shown" '' inspect "${here[@]}"
    "$binary" run "${load[@]}" "${here[@]}" --allow-live-cluster --guards none --keep-data >"$scratch/kept" 2>&1
    asked "$name: cleanup" 0 'keys deleted' '' cleanup "${here[@]}"
    truth="$(keys 0) key is there after"
    asked "$name: afterwards" 0 'nothing to delete' '' cleanup "${here[@]}"
    if [ "$(keys 0)" != 1 ]; then failures+=("$name: a foreign key was deleted"); fi
    end_all
    rm -rf "${scratch:?}"/m*
done

name='cleanup under /registry'
if grep -qE -- "$wanted" <<<"$name"; then
    step "$name"
    start 0 1 one
    ready 0
    # The only key that is there is ours, so the flag of ownership is all it takes.
    "$binary" run "${load[@]}" "${here[@]}" --prefix /registry --yes-this-etcd-is-mine --guards none --keep-data >"$scratch/kept" 2>&1 ||
        { cat "$scratch/kept" >&2; die "cannot keep a run under /registry"; }
    victim=$(call 0 kv/range "{\"key\":\"$(b64 /registry/leases/)\",\"range_end\":\"$(b64 /registry/leases0)\",\"keys_only\":true,\"limit\":1}" |
        jq -r '.kvs[0].key' | base64 -d)
    put 0 "$victim"
    truth="$victim was written by somebody else since"
    asked "$name: unasked" 2 'yes-this-etcd-is-mine' '' cleanup "${here[@]}"
    asked "$name: one key is newer" '1 2' 'another client uses this store' '' cleanup "${here[@]}" --yes-this-etcd-is-mine
    if [ "$(call 0 kv/range "{\"key\":\"$(b64 "$victim")\"}" | jq -r .count)" != 1 ]; then
        failures+=("$name: the key of somebody else was deleted")
    fi
    end_all
    rm -rf "${scratch:?}"/m*
fi

name='populate killed, then the second store is down'
if grep -qE -- "$wanted" <<<"$name"; then
    step "$name"
    start 0 1 one
    start 10 1 one
    ready 0
    ready 10
    two=("${here[@]}" --overrides "/events#$(client 10)")
    "$binary" run cluster --nodes 400 --populate single --set populate.concurrency=1 --run-id resumed --quiet "${two[@]}" \
        >"$scratch/kept" 2>&1 &
    runner=$!
    for _ in $(seq 200); do
        if [ "$(keys 0)" -gt 50 ]; then break; fi
        sleep 0.1
    done
    kill -KILL "$runner"
    wait "$runner" 2>/dev/null || true
    stop 10
    truth="$(keys 0) keys of the killed run are in the first store"
    sleep 16
    asked "$name: again" '1 2' 'events|:'"$((base + 20))" '' \
        run cluster --nodes 400 --run-id resumed --out again --duration 2s --quiet --dial-timeout 1s "${two[@]}"
    start 10 1 one
    ready 10
    asked "$name: cleanup" 0 'keys deleted' 'nothing to delete' cleanup "${two[@]}"
    truth="$(keys 0) and $(keys 10) keys are left"
    asked "$name: afterwards" 0 'nothing to delete' '' cleanup "${two[@]}"
    if [ "$(keys 0)" != 0 ] || [ "$(keys 10)" != 0 ]; then failures+=("$name: keys are left"); fi
    end_all
    rm -rf "${scratch:?}"/m*
fi

name='a run that is started before its etcd'
if grep -qE -- "$wanted" <<<"$name"; then
    step "$name"
    (
        sleep 3
        exec "$etcd" --name m0 --data-dir "$scratch/m0" --listen-client-urls "$(client 0)" --advertise-client-urls "$(client 0)" \
            --listen-peer-urls "$(peer 0)" --initial-advertise-peer-urls "$(peer 0)" --initial-cluster "m0=$(peer 0)" \
            >"$scratch/m0.log" 2>&1
    ) &
    truth="its etcd listens 3 s later"
    asked "$name" '0 98' 'none lost' 'published|TLS' run "${load[@]}" "${here[@]}" --dial-timeout 20s
    end_all
    rm -rf "${scratch:?}"/m*
fi

printf '| scenario | what is true | the first line of what was said | exit | judged |\n| --- | --- | --- | --- | --- |\n'
printf '%s\n' "${rows[@]}"
if [ ${#failures[@]} -gt 0 ]; then die "failed: ${failures[*]}"; fi
say "${#rows[@]} answers, each as it should be"
