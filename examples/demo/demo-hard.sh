#!/usr/bin/env bash
# The harder story: the source and its control are cut off, and inside it writers go on. Silence has to be accepted, the
# risk is recorded, and the guard meets the old primary when it returns.
source "$(dirname "$0")/lib.sh"

chapter "Two regions on this machine; the plan accepts the source's silence after 3 s, seen by two probers"
"$dr" sandbox --dir "$box" up --hard
sleep 3

chapter "Every packet between the source region and the world is dropped"
"$dr" sandbox --dir "$box" partition source

chapter "Two failovers are begun from two folders: one of them is refused"
mkdir "$work/elsewhere"
second=0
( cd "$work/elsewhere" && sleep 1 && "$dr" failover --yes >"$work/second.out" 2>"$work/second.err" ) & other=$!
expect 11 failover --yes
wait "$other" || second=$?
sed 's/^/second: /' "$work/second.err"
[ "$second" -eq 12 ] || { echo "the second failover ended with $second instead of 12" >&2; exit 1; }
bundle=$(newest)
echo "client's outage:            $(metric "$bundle" client_outage_seconds) s"
echo "acknowledged writes lost:   $(metric "$bundle" lost_writes) of $(metric "$bundle" acknowledged_writes)"

chapter "The guard waits; the source comes back with writers inside, and is fenced"
"$dr" guard --for 2m & guard=$!
sleep 2
"$dr" sandbox --dir "$box" heal
wait "$guard"

chapter "Its stray writes are counted, its data is kept, and it becomes a standby"
expect 0 protect --yes
bundle=$(newest)
show evidence verify "$evidence"
show evidence show "$bundle"
show status
