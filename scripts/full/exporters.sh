#!/usr/bin/env bash
# Gives what `etcdmark report` exports to the programs that read it: benchstat and its parser, perfdash's types, promtool,
# and xmllint with Ant's and Jenkins' JUnit schemas. Needs Go, promtool (Debian: prometheus), xmllint (libxml2-utils), and the
# network for Go's modules and the schemas; ETCDMARK_JUNIT_XSD=DIR names a directory that holds them already
# (ant-junit.xsd, jenkins-junit-10.xsd).
# exit: 0 every file was read; 1 one was not, or a program is missing.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$repo_root"

ANT=https://raw.githubusercontent.com/windyroad/JUnit-Schema/cfa434d4b8e102a8f55b8727b552a0063ee9044e/JUnit.xsd
JENKINS=https://raw.githubusercontent.com/jenkinsci/xunit-plugin/8c515de2804b3fd591a3b0f1ff8908a1b1a41887/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd
PERF=v0.0.0-20260908200009-22c9c6c9d4da
KUBERNETES=v1.34.2

for program in go promtool xmllint; do
    have "$program" || die "$program is missing"
done
etcdmark=${ETCDMARK:-}
if [ -z "$etcdmark" ]; then
    cargo build --profile quick
    etcdmark=$repo_root/target/quick/etcdmark
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

step "results to export"
read -r version etcd < <(scripts/install-etcd.sh newest)
# Thresholds that hold, fail and cannot be decided; the run's exit code is theirs. Updates of leader Leases are all misses.
"$etcdmark" run cluster --nodes 50 --duration 5s --etcd "$etcd" --out "$work/run" --quiet \
    --set 'limits.leader-lease/update=1us' \
    --threshold 'node-lease/update p99 < 10s' --threshold 'node-lease/update p99 < 1us' \
    --threshold 'event/create p99.99 < 900ms' >"$work/run.txt" || [ $? = 99 ]
"$etcdmark" compare --etcd-version "$version" --smoke \
    --head-flag=--snapshot-count=20000 --out "$work/gate" --quiet >"$work/gate.txt"
# Cut in the middle of a line, as a killed run leaves it.
cp -r "$work/run" "$work/torn"
truncate -s -25 "$work/torn/events.jsonl"
# Histograms of half of the run.
cp -r "$work/run" "$work/half"
truncate -s "$(($(stat -c %s "$work/run/latency.hlog") / 2))" "$work/half/latency.hlog"

step "exporting"
for format in markdown github junit csv benchstat bmf perfdash openmetrics; do
    for result in run torn; do
        "$etcdmark" report "$work/$result" -o "$format" >"$work/$result.$format" 2>>"$work/said"
    done
    code=0
    "$etcdmark" report "$work/half" -o "$format" >"$work/half.$format" 2>>"$work/said" || code=$?
    [ "$code" = 1 ] || die "$format of half a run: exit code $code, and 1 is right"
done
for format in markdown github junit csv benchstat; do
    "$etcdmark" report "$work/gate" -o "$format" >"$work/gate.$format" 2>>"$work/said"
done
grep -q 'the last line of events.jsonl is incomplete' "$work/said" || die "a torn file was not told"

step "JUnit's schemas"
schemas=${ETCDMARK_JUNIT_XSD:-$work}
if [ "$schemas" = "$work" ]; then
    curl -fsSL --max-time 60 -o "$work/ant-junit.xsd" "$ANT"
    curl -fsSL --max-time 60 -o "$work/jenkins-junit-10.xsd" "$JENKINS"
fi
for schema in ant-junit jenkins-junit-10; do
    xmllint --noout --schema "$schemas/$schema.xsd" "$work"/*.junit
done

step "promtool"
for file in "$work"/*.openmetrics; do
    promtool check metrics <"$file"
done

step "benchstat and perfdash's types"
mkdir "$work/go"
cp scripts/full/exporters/main.go "$work/go/"
(
    cd "$work/go"
    go mod init exporters 2>/dev/null
    go get "golang.org/x/perf/benchfmt@$PERF" "golang.org/x/perf/cmd/benchstat@$PERF" 2>/dev/null
    # Kubernetes as a dependency would need all of its own; its types need nothing.
    kubernetes=$(go mod download -json "k8s.io/kubernetes@$KUBERNETES" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    cp -r --no-preserve=mode "$kubernetes/test/e2e/perftype" perftype
    go run . "$work"/*.benchstat "$work"/*.perfdash
    go build -o benchstat golang.org/x/perf/cmd/benchstat
    ./benchstat "$work/run.benchstat" "$work/torn.benchstat" >"$work/compared"
    ./benchstat -col arm "$work/gate.benchstat" >>"$work/compared"
)
grep -q '+Inf p99-sec' "$work/run.benchstat" || die "the misses of leader Leases are not infinite"
grep -q 'Response/actor=node-lease/step=update' "$work/compared" || die "benchstat did not compare Lease renewals"
grep -Eq '│ +base +│ +head' "$work/compared" || die "benchstat did not compare the arms"

step "Python's parser of OpenMetrics, where it is installed"
if python3 -c 'import prometheus_client' 2>/dev/null; then
    python3 - "$work"/*.openmetrics <<'PYTHON'
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for path in sys.argv[1:]:
    print(path, len(list(text_string_to_metric_families(open(path).read()))), "families")
PYTHON
else
    say "not installed"
fi
say "every file was read"
