#!/usr/bin/env bash
# Does `etcdmark disk --pattern fio` measure what fio measures? One pass of 22 MiB each, in turn and in changing order, in
# the same directory; with files without names (the default on ext4 and XFS) and with names, as fio's are. Prints
# percentiles of fdatasync in µs, and the medians of the paired ratios to fio.
#
#   scripts/bench-disk.sh [DIR] [BLOCKS]     DIR: on the disk to measure (default: target); nothing else should use it
#   ETCDMARK=/path/to/etcdmark chooses the binary
#   aims: p50 within 10 %, p99 within 15 %; exit code 1 when the default misses one
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${1:-target}
blocks=${2:-6}

fail() {
    echo "$*" >&2
    exit 1
}
for tool in fio jq; do
    command -v "$tool" >/dev/null || fail "$tool is missing (apt-get install $tool)"
done
[ -d "$dir" ] || fail "$dir: no such directory"
etcdmark=${ETCDMARK:-target/release/etcdmark}
[ -n "${ETCDMARK:-}" ] || cargo build --release --bin etcdmark

out=$(mktemp -d)
scratch=$(mktemp -d "$dir/etcdmark-bench-disk.XXXXXX")
trap 'rm -rf "$out" "$scratch"' EXIT

# one ARM: a pass; prints "p50 p99" in ns.
one() {
    case $1 in
        fio)
            fio --rw=write --ioengine=sync --fdatasync=1 --size=22m --bs=2300 --name=bench \
                --directory="$scratch" --percentile_list=50:99 --output-format=json --output="$out/fio.json"
            rm -f "$scratch"/bench.*
            jq -r '.jobs[0].sync.lat_ns | [.percentile["50.000000"], .percentile["99.000000"], .N] | @tsv' "$out/fio.json"
            ;;
        unnamed | named)
            local flag=()
            [ "$1" = unnamed ] || flag=(--named-files)
            "$etcdmark" disk "$scratch" --pattern fio --passes 1 -q -o json "${flag[@]}" >"$out/disk.json"
            jq -r '.directories[0] | [.fdatasync.p50_ns, .fdatasync.p99_ns, .syncs] | @tsv' "$out/disk.json"
            ;;
    esac
}

echo "$(uname -srm), $(nproc) CPUs; $(fio --version); $(df --output=fstype,source "$dir" | tail -n 1 | tr -s ' '); load $(cut -d' ' -f1 /proc/loadavg); $(date -u +%F)"
arms=(fio unnamed named)
for block in $(seq "$blocks"); do
    for i in 0 1 2; do
        # Each arm is first, second and third equally often.
        arm=${arms[$(((i + block) % 3))]}
        read -r p50 p99 n < <(one "$arm")
        printf '%s\t%s\t%s\t%s\t%s\n' "$block" "$arm" "$p50" "$p99" "$n"
    done
done | tee "$out/all" | awk -F'\t' '{ printf "block %s  %-8s p50 %8.1f µs  p99 %8.1f µs  (%d syncs)\n", $1, $2, $3 / 1e3, $4 / 1e3, $5 }'

# median COLUMN ARM: of that arm's value over fio's in the same block.
median() {
    awk -F'\t' -v c="$1" -v arm="$2" '$2 == "fio" { f[$1] = $c } $2 == arm { a[$1] = $c } END { for (p in f) print a[p] / f[p] }' "$out/all" |
        sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}
within() { awk -v r="$1" -v by="$2" 'BEGIN { exit !(r >= 1 - by && r <= 1 + by) }'; }

for arm in unnamed named; do
    printf 'etcdmark disk (%s files) / fio, median of %s blocks: p50 %.3f, p99 %.3f\n' "$arm" "$blocks" \
        "$(median 3 "$arm")" "$(median 4 "$arm")"
done
if within "$(median 3 unnamed)" 0.10 && within "$(median 4 unnamed)" 0.15; then
    echo "within the aims: p50 10 %, p99 15 %"
else
    fail "outside the aims: p50 10 %, p99 15 %"
fi
