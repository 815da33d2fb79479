#!/usr/bin/env python3
"""Switches the guards of dr-testkit/guards.toml off, one at a time in a copy of the tree, and shows that the suites of
dr-core and dr-testkit go red for each.

    scripts/guards.py              all of them
    scripts/guards.py 'silence'    those whose name holds that word, again
    scripts/guards.py --left       those that nothing has noticed so far

It writes docs/GUARDS.md when every guard was noticed.

It ends with 1 if nothing noticed that one was off, and with 2 if one cannot be switched off any more: its lines have
changed, or what is left does not compile.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TREE = ROOT / "target" / "guards" / "tree"
BUILD = ROOT / "target" / "guards" / "build"
SEEN = ROOT / "target" / "guards" / "seen.json"
SUITES = ["-p", "dr-core", "-p", "dr-testkit"]
TOLD = 3
# Enough is enough: a guard that many tests notice need not be noticed by all.
AT_MOST = 6
SLOW = "not (test(ten_thousand_steps) or binary(large_plans) or binary(promises))"


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def copy_of_the_tree():
    """The last commit, in a folder of its own."""
    run("git", "worktree", "remove", "--force", str(TREE), cwd=ROOT)
    run("git", "worktree", "prune", cwd=ROOT)
    made = run("git", "worktree", "add", "--detach", str(TREE), "HEAD", cwd=ROOT)
    if made.returncode:
        sys.exit(made.stderr)


def switched_off(guard, text):
    for one in [guard, *guard.get("also", [])]:
        if text.count(one["is"]) < 1:
            return None
        text = text.replace(one["is"], one["off"], 1)
    return text


def cargo(*arguments):
    environment = {
        "CARGO_TARGET_DIR": str(BUILD),
        "CARGO_INCREMENTAL": "1",
        "CARGO_TERM_COLOR": "never",
        "DR_HISTORIES": "400",
        "RUST_BACKTRACE": "0",
    }
    return run("cargo", *arguments, *SUITES, cwd=TREE, env={**os.environ, **environment})


def noticed():
    """The tests that went red, or None if it does not compile."""
    built = cargo("build", "--tests")
    if built.returncode:
        print(built.stderr)
        return None
    ran = cargo("nextest", "run", f"--max-fail={AT_MOST}", "--status-level", "fail", "-E", SLOW)
    text = ran.stdout + ran.stderr
    if "Starting" not in text:
        sys.exit(f"the suites did not run (they need cargo-nextest):\n{text}")
    red = re.findall(r"^\s+(?:FAIL|TIMEOUT|SIG\w+)\s.*?\) (\S+ \S+)$", text, re.MULTILINE)
    if ran.returncode and not red:
        sys.exit(f"the suites failed, and no test of them did:\n{text}")
    return sorted(set(red))


def page(rows):
    lines = [
        "# Guards, and what notices that one is gone",
        "",
        "Made by `make guards` from `dr-testkit/guards.toml`: each guard was switched off in a copy of the tree, and the",
        f"suites of `dr-core` and `dr-testkit` ran without it, until {AT_MOST} tests were red or all had run.",
        "",
        "| without this guard | red | among them |",
        "|---|---|---|",
    ]
    for name, red in rows:
        some = "<br>".join(f"`{test}`" for test in red[:TOLD])
        count = f"{AT_MOST} or more" if len(red) >= AT_MOST else len(red)
        lines.append(f"| {name} | {count} | {some} |")
    return "\n".join(lines) + "\n"


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    guards = tomllib.loads((ROOT / "dr-testkit" / "guards.toml").read_text())["guard"]
    copy_of_the_tree()
    if red := noticed():
        sys.exit(f"red with every guard in place: {red}")
    seen = json.loads(SEEN.read_text()) if wanted and SEEN.exists() else {}
    unnoticed, stale = [], []
    left = [guard for guard in guards if guard["name"] not in seen]
    for guard in left if wanted == "--left" else [guard for guard in guards if wanted in guard["name"]]:
        path = TREE / guard["file"]
        before = path.read_text()
        off = switched_off(guard, before)
        if off is None:
            stale.append(guard["name"])
            print(f"STALE      {guard['name']}: its lines are not in {guard['file']}", flush=True)
            continue
        path.write_text(off)
        red = noticed()
        path.write_text(before)
        if red is None:
            stale.append(guard["name"])
            print(f"STALE      {guard['name']}: it does not compile without", flush=True)
        elif not red:
            unnoticed.append(guard["name"])
            print(f"UNNOTICED  {guard['name']}", flush=True)
        else:
            print(f"{len(red):3} red    {guard['name']}: {', '.join(red[:TOLD])}", flush=True)
            seen[guard["name"]] = red
            SEEN.write_text(json.dumps(seen))
    run("git", "worktree", "remove", "--force", str(TREE), cwd=ROOT)
    if all(guard["name"] in seen for guard in guards):
        rows = [(guard["name"], seen[guard["name"]]) for guard in guards]
        (ROOT / "docs" / "GUARDS.md").write_text(page(rows))
    sys.exit(2 if stale else 1 if unnoticed else 0)


if __name__ == "__main__":
    main()
