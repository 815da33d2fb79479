"""Medians of the parts of the outages in a folder of evidence bundles. Usage: outage.py EVIDENCE BARE"""

import json
import pathlib
import statistics
import sys
from datetime import datetime


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def parts(bundle):
    """The parts of one run's longest outage, in seconds, by name."""
    metrics = json.loads((bundle / "metrics.json").read_text())
    began, found, gap = None, {}, None
    for line in (bundle / "journal.ndjson").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "began":
            began = moment(event["at"])
        elif event["event"] in ("started", "succeeded"):
            found.setdefault((event["event"], event["step"].split("/")[1].split(":")[0]), moment(event["at"]))
        elif event["event"] == "measured":
            gaps = [g for seen in event["measurement"]["outages"][:1] for g in seen["gaps"] if g.get("to")]
            gaps = [g for g in gaps if moment(g["to"]) > began]
            gap = max(gaps, key=lambda g: moment(g["to"]) - moment(g["from"]), default=None)
    if gap is None:
        return metrics["mode"], None
    down, up = moment(gap["from"]), moment(gap["to"])
    at = lambda event, verb: found[(event, verb)]
    out = {"outage (first failed to first good answer)": up - down}
    out["outage at most (metrics.json)"] = metrics["client_outage_seconds"]
    if metrics["mode"] == "failover":
        out["  until the run begins"] = began - down
        out["  looking: roles, preflight"] = at("started", "fence") - began
        out["  fence"] = at("succeeded", "fence") - at("started", "fence")
    else:
        out["  fence, from the first failed answer"] = at("succeeded", "fence") - down
    out["  to the promotion's intent"] = at("started", "promote") - at("succeeded", "fence")
    out["  promote, with proof and first write"] = at("succeeded", "promote") - at("started", "promote")
    out["  route"] = at("succeeded", "route") - at("succeeded", "promote")
    out["  callers' tail (TTL 1 s)"] = up - at("succeeded", "route")
    out["verified after the route"] = at("succeeded", "probe") - at("succeeded", "route")
    for name in ("detection", "decision", "execution", "tail"):
        out[f"metrics.json: {name}"] = metrics[f"{name}_seconds"]
    out["run"] = metrics["run_seconds"]
    out["lost writes"] = metrics["lost_writes"]
    return metrics["mode"], out


def main():
    evidence, bare = map(pathlib.Path, sys.argv[1:])
    promoted, written = zip(*(map(int, line.split()) for line in bare.read_text().splitlines()))
    print(f"\nbare pg_ctl promote: {statistics.median(promoted)} ms, with a first write: {statistics.median(written)} ms")
    runs = {}
    for bundle in sorted(evidence.iterdir()):
        mode, found = parts(bundle)
        if mode in ("failover", "failback", "switchover"):
            runs.setdefault(mode, []).append(found)
    for mode, all_found in runs.items():
        measured = [found for found in all_found if found]
        print(f"\n{mode}: medians of {len(measured)} runs, {len(all_found) - len(measured)} without an outage")
        for name in measured[0] if measured else []:
            values = [found[name] for found in measured if found[name] is not None]
            if not values:
                print(f"  {name:<46} unknown")
            elif name == "lost writes":
                print(f"  {name:<46} {sum(values)} in all")
            else:
                low, high = min(values) * 1000, max(values) * 1000
                print(f"  {name:<46} {statistics.median(values) * 1000:7.0f} ms   ({low:.0f} to {high:.0f})")


main()
