#!/bin/sh
# Reads a latency.hlog with HdrHistogram's own Java tool and prints, for the untagged lines and for
# each tag, the percentile distribution in milliseconds: evidence that others can read our files.
#
#   scripts/check-hlog-java.sh FILE [TAG...]      no TAG: every tag in the file
#
# Needs java and, the first time, mvn. The jar is kept in $ETCDMARK_CACHE (default: ~/.cache/etcdmark).
# Exit codes: 0 read, 1 Java could not read it, 2 wrong usage, 77 java, mvn or the jar is missing.
set -eu

version=2.2.2
cache=${ETCDMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/etcdmark}/hdrhistogram
jar=$cache/HdrHistogram-$version.jar

if [ $# -lt 1 ] || [ ! -r "$1" ]; then
    echo "usage: $0 FILE [TAG...]   (FILE: a readable .hlog)" >&2
    exit 2
fi
file=$1
shift

if ! command -v java >/dev/null; then
    echo "java is missing (Debian: apt-get install default-jre-headless)" >&2
    exit 77
fi
if [ ! -s "$jar" ]; then
    if ! command -v mvn >/dev/null; then
        echo "mvn is missing (Debian: apt-get install maven), and so is $jar" >&2
        exit 77
    fi
    mkdir -p "$cache"
    if ! mvn -q -B dependency:copy "-Dartifact=org.hdrhistogram:HdrHistogram:$version" \
        "-DoutputDirectory=$cache" >&2; then
        echo "mvn could not get org.hdrhistogram:HdrHistogram:$version" >&2
        exit 77
    fi
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The processor writes the intervals to FILE and the distribution to FILE.hgrm; it exits 0 even when it
# meets a malformed line, and says so on standard error.
process() {
    name=$1
    shift
    java -cp "$jar" org.HdrHistogram.HistogramLogProcessor -i "$file" -o "$work/out" "$@" \
        >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
    if grep -qi 'malformed\|exception' "$work/log"; then
        cat "$work/log" >&2
        exit 1
    fi
    echo "== $name"
    cat "$work/out.hgrm"
    rm -f "$work/out" "$work/out.hgrm"
}

process untagged
if [ $# -eq 0 ]; then
    sed -n 's/^Tag=\([^,]*\),.*/\1/p' "$file" | sort -u >"$work/tags"
else
    printf '%s\n' "$@" >"$work/tags"
fi
while IFS= read -r tag; do
    process "$tag" -tag "$tag"
done <"$work/tags"
