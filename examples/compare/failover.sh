#!/usr/bin/env bash
# A region's failover as a shell script: one step after the other, as a runbook's page tells a person to type it.
#
# It is here to be measured beside `dr failover`, not to be used: README.md says what it leaves out.
#
#   TARGET_CONTEXT=teei-eu-central-1 … examples/compare/failover.sh
#
# It needs kubectl, psql, aws, curl and dig, and finds everything else in the environment.
#
#   SOURCE_CONTEXT    the lost region's context in the kubeconfig (KUBECONFIG, as kubectl reads it)
#   TARGET_CONTEXT    the other region's context
#   NAMESPACE         the services' namespace, the same in both
#   DEPLOYMENTS       the services, separated by blanks
#   INGRESS           the Service whose load balancer callers enter the target by
#   TARGET_DATABASE   the standby, as psql takes it; the password by PGPASSWORD or PGPASSFILE
#   ZONE_ID           the hosted zone; credentials and a region as aws finds them
#   RECORD            the name that callers use, an A record
#   HEALTH_URLS       what has to answer when it is done, separated by blanks
#
# These need not be set:
#
#   REPLICAS=3        pods of each service in the target
#   STANDBY=1         pods of each that are left in the source
#   TTL=60            of the record, in seconds
#   DNS_WAIT=60       how long to sleep for the record to be known, in seconds
#   ROLLOUT=5m        how long each service may take to be ready
#   KUBECTL_TIMEOUT   for each request to an API server; kubectl's own is none. The lost region's may never answer
#   ASK_SOURCE=yes    `no` leaves the lost region's cluster alone: it is neither looked at nor scaled down
#   AWS_ENDPOINT      another address of the Route 53 API
#   NAME_SERVER       host:port of the name server to ask instead of this machine's resolver
#   EVIDENCE          the folder of the notes; a new one by default
set -euo pipefail

: "${TARGET_CONTEXT:?}" "${NAMESPACE:?}" "${DEPLOYMENTS:?}" "${INGRESS:?}" "${TARGET_DATABASE:?}"
: "${ZONE_ID:?}" "${RECORD:?}" "${HEALTH_URLS:?}"
replicas=${REPLICAS:-3}
standby=${STANDBY:-1}
ttl=${TTL:-60}
dns_wait=${DNS_WAIT:-60}
rollout=${ROLLOUT:-5m}
ask_source=${ASK_SOURCE:-yes}
[ "$ask_source" = no ] || : "${SOURCE_CONTEXT:?}"
evidence=${EVIDENCE:-$(mktemp -d "${TMPDIR:-/tmp}/failover.XXXXXX")}
mkdir -p "$evidence"
read -r -a services <<<"$DEPLOYMENTS"
read -r -a health <<<"$HEALTH_URLS"
began=$EPOCHREALTIME

say() { printf '[%6.1f s] %s\n' "$(elapsed)" "$*"; }
elapsed() { awk -v from="$began" -v to="$EPOCHREALTIME" 'BEGIN { print to - from }'; }
in_region() {
  local context=$1; shift
  kubectl --context "$context" --namespace "$NAMESPACE" --request-timeout "${KUBECTL_TIMEOUT:-0}" "$@"
}
target() { in_region "$TARGET_CONTEXT" "$@"; }
# The lost region's cluster: that it does not answer is no reason to stop.
source_if_it_answers() { in_region "$SOURCE_CONTEXT" "$@" || say "the source's cluster does not answer"; }
# One address of the name, from the name server that is to be asked.
address() {
  local server=()
  [ -z "${NAME_SERVER:-}" ] || server=("@${NAME_SERVER%:*}" -p "${NAME_SERVER##*:}")
  dig "${server[@]}" +short "$RECORD" A | tail -n 1
}

say "looking at both regions"
if [ "$ask_source" != no ]; then
  source_if_it_answers get nodes
  source_if_it_answers get pods
fi
target get nodes
target get pods >"$evidence/target-pods-before.txt"

say "promoting the target's database"
promoted=$(psql "$TARGET_DATABASE" -X -At -v ON_ERROR_STOP=1 -c 'select pg_promote(true, 60)')
[ "$promoted" = t ] || { say "the database was not promoted"; exit 1; }

say "scaling the target to $replicas"
target scale deployment --replicas "$replicas" "${services[@]}"
for service in "${services[@]}"; do
  # Each watch is one long request: a limit for requests would end it.
  kubectl --context "$TARGET_CONTEXT" --namespace "$NAMESPACE" rollout status "deployment/$service" --timeout "$rollout"
done
target get pods --field-selector 'status.phase!=Running'

say "changing the record"
entry=$(target get service "$INGRESS" -o 'jsonpath={.status.loadBalancer.ingress[0].ip}')
[ -n "$entry" ] || { say "$INGRESS has no address"; exit 1; }
cat >"$evidence/change.json" <<JSON
{ "Changes": [{ "Action": "UPSERT", "ResourceRecordSet": {
  "Name": "$RECORD", "Type": "A", "TTL": $ttl, "ResourceRecords": [{ "Value": "$entry" }] } }] }
JSON
endpoint=()
[ -z "${AWS_ENDPOINT:-}" ] || endpoint=(--endpoint-url "$AWS_ENDPOINT")
aws "${endpoint[@]}" route53 change-resource-record-sets --hosted-zone-id "$ZONE_ID" \
  --change-batch "file://$evidence/change.json" --output text

say "sleeping $dns_wait s for DNS"
sleep "$dns_wait"
now=$(address)
say "$RECORD is $now"

say "asking the services and the database"
connect=()
[ -z "${NAME_SERVER:-}" ] || connect=(--connect-to "::$now:")
for url in "${health[@]}"; do
  curl --silent --show-error --fail --max-time 10 "${connect[@]}" --output /dev/null "$url"
done
psql "$TARGET_DATABASE" -X -At -v ON_ERROR_STOP=1 -c 'select 1' >/dev/null

if [ "$ask_source" != no ]; then
  say "scaling the source to $standby"
  source_if_it_answers scale deployment --replicas "$standby" "${services[@]}"
fi

say "taking notes"
target get deployments -o wide >"$evidence/target-deployments.txt"
target get pods -o wide >"$evidence/target-pods.txt"
printf "RTO: %.0f s, by the clock of this script\n" "$(elapsed)" >"$evidence/rto.txt"
say "done; the notes are in $evidence"
