"""The differences of every arm from the baseline, block by block: experiment.json -> JSON on stdout."""

import json
import math
import sys


def value(values, metric):
    """None where a trial has no number: not measured, or "missed"."""
    found = values.get(metric)
    return found["value"] if isinstance(found, dict) else None


with open(sys.argv[1]) as file:
    result = json.load(file)
baseline = result["plan"]["baseline"]
values = {}
for trial in result["trials"]:
    if trial["state"] == "done":
        values[trial["block"], trial["arm"]] = trial["values"]
arms = [arm["name"] for arm in result["plan"]["arms"] if arm["name"] != baseline]
metrics = sorted(result["plan"]["primary"] + result["plan"]["metrics"])
metrics = [m for m in metrics if any(m in of_trial for of_trial in values.values())]
found = {}
for arm in arms:
    of_arm = found.setdefault(arm, {metric: [] for metric in metrics})
    for block in range(1, result["plan"]["blocks"] + 1):
        pair = [values.get((block, side)) for side in (baseline, arm)]
        if None in pair:
            continue
        numbers = {m: [value(side, m) for side in pair] for m in metrics}
        # As a gate does: a block with a miss in place of a figure has no difference.
        if any(None in both for both in numbers.values()):
            continue
        for metric, (base, head) in numbers.items():
            difference = head - base if metric == "all:missed" else math.log(head / base)
            of_arm[metric].append(round(difference, 6))
etcd = result["plan"]["arms"][0]["stores"][0]["version"]
json.dump({"etcd": etcd, "arms": found}, sys.stdout)
print()
