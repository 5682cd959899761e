#!/usr/bin/env bash
# Simulates what the statistics promise, as docs/method/ quotes it: scripts/full/method.sh [intervals|gate]
set -euo pipefail
cd "$(dirname "$0")/../.."
ETCDMARK_METHOD=full cargo test --profile quick --test method -- --nocapture "${1:-}"
