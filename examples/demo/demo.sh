#!/usr/bin/env bash
# A region dies under load, and its service comes back in the other one; then it goes back, losing nothing.
source "$(dirname "$0")/lib.sh"

chapter "Two regions on this machine: PostgreSQL with its standby, a service, a name server, a load"
"$dr" sandbox --dir "$box" up
show check "$plan"
sleep 3   # the load and the probers run for a while, so that there is something to measure

chapter "The source region is killed under load (SIGKILL)"
"$dr" sandbox --dir "$box" break source
expect 11 failover --yes
bundle=$(newest)

chapter "The evidence, checked with dr and with ordinary tools"
show evidence verify "$bundle"
(cd "$bundle" && sha256sum --check --quiet SHA256SUMS && echo "sha256sum: every file is as it was sealed")
echo "client's outage:            $(metric "$bundle" client_outage_seconds) s"
echo "acknowledged writes lost:   $(metric "$bundle" lost_writes) of $(metric "$bundle" acknowledged_writes)"

chapter "The old region comes back, and is made a standby of the new primary"
"$dr" sandbox --dir "$box" heal
expect 0 protect --yes

chapter "And back, as planned: nothing may be lost"
expect 0 failback --yes
bundle=$(newest)
lost=$(metric "$bundle" lost_writes)
echo "client's outage:            $(metric "$bundle" client_outage_seconds) s"
echo "acknowledged writes lost:   $lost of $(metric "$bundle" acknowledged_writes)"
[ "$lost" = 0 ]
show evidence verify "$evidence"
show status
