#!/usr/bin/env bash
# The everyday checks, then the slow evidence: every scripts/full/*.sh, in the order of their names.
# exit: 0 all passed; 1 something failed (everything is run all the same).
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$repo_root"

failed=()
scripts/test.sh || failed+=(scripts/test.sh)
for script in scripts/full/*.sh; do
    if [ ! -e "$script" ]; then break; fi
    step "$script"
    bash "$script" || failed+=("$script")
done
if [ ${#failed[@]} -gt 0 ]; then die "failed: ${failed[*]}"; fi
say "everything passed"
