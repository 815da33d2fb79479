#!/usr/bin/env bash
# How long callers are without the sandbox's service, forced and planned, in parts; medians of N runs each. Beside it,
# in the same minutes, what PostgreSQL takes by itself to promote a standby.
#
#   scripts/outage.sh [N] [path/to/dr]
set -euo pipefail
rounds=${1:-5}
dr=$(realpath "${2:-target/debug/dr}")
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d "${TMPDIR:-/tmp}/dr-outage.XXXXXX")
chmod 755 "$work"
box=$work/sandbox
export DR_PLAN=$box/plan.yaml DR_EVIDENCE=$work/evidence

finish() {
  status=$?
  [ -z "${prober:-}" ] || kill "$prober" 2>/dev/null || true
  "$dr" sandbox --dir "$box" down >/dev/null 2>&1 || true
  [ -z "${bare:-}" ] || "$here/bare-promote.sh" --stop "$bare" || true
  if [ "$status" -eq 0 ]; then rm -rf "$work"; else echo "failed; what it left is in $work" >&2; fi
}
trap finish EXIT
trap 'exit 130' INT TERM

# Expects an exit code and is silent otherwise.
expect() {
  want=$1; shift
  got=0; "$dr" "$@" >"$work/last.out" 2>&1 || got=$?
  if [ "$got" -ne "$want" ]; then cat "$work/last.out" >&2; echo "dr $*: exit code $got instead of $want" >&2; exit 1; fi
}

echo "PostgreSQL alone: $rounds promotions of a standby whose primary was killed"
bare=$work/bare
mkdir -m 777 "$bare"
"$here/bare-promote.sh" "$rounds" "$bare" | tee "$work/bare.txt"

echo "The sandbox: $rounds failovers and $rounds failbacks under load"
expect 0 sandbox --dir "$box" up
"$dr" measure --keep --every 100ms >/dev/null 2>"$work/prober.err" & prober=$!
sleep 3
for round in $(seq "$rounds"); do
  expect 0 sandbox --dir "$box" break source
  sleep 0.5   # the prober notices; somebody decides
  expect 11 failover --yes
  expect 0 sandbox --dir "$box" heal
  expect 0 protect --yes
  sleep 4   # callers' caches and the load come to rest
  expect 0 failback --yes
  sleep 3
  echo "  $round of $rounds"
done
uptime
python3 "$here/outage.py" "$DR_EVIDENCE" "$work/bare.txt"
