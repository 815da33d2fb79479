#!/usr/bin/env bash
# What PostgreSQL takes by itself: kills a throwaway primary and promotes its standby, N times.
#
#   scripts/bare-promote.sh N FOLDER      prints milliseconds, one a line: `pg_ctl promote`, then the first write
#   scripts/bare-promote.sh --stop FOLDER
set -euo pipefail
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
bin=${bin:-$(dirname "$(command -v initdb)")}
# PostgreSQL refuses to run as root.
as() { if [ "$(id -u)" -eq 0 ]; then (cd / && setpriv --reuid postgres --regid postgres --clear-groups "$@"); else "$@"; fi; }
stop() { for node in "$1"/*/one "$1"/*/two; do [ -d "$node" ] && as "$bin/pg_ctl" -D "$node" -m immediate -s stop 2>/dev/null || true; done; }

if [ "$1" = --stop ]; then stop "$2"; exit; fi
rounds=$1 folder=$2
trap 'stop "$folder"' EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
now() { date +%s%N; }
ask() { as "$bin/psql" -h 127.0.0.1 -p "$1" -U postgres -qAtX -c "$2" postgres; }

for round in $(seq "$rounds"); do
  pair=$folder/$round; as mkdir "$pair"
  one=$(free_port) two=$(free_port)
  as "$bin/initdb" -D "$pair/one" -U postgres -A trust --no-sync >/dev/null
  common="listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nwal_retrieve_retry_interval = '100ms'"
  as sh -c "printf '%b\n' \"$common\" \"port = $one\" >>'$pair/one/postgresql.conf'"
  as "$bin/pg_ctl" -D "$pair/one" -l "$pair/one.log" -s -w start
  ask "$one" "create table t (n int)"
  as "$bin/pg_basebackup" -h 127.0.0.1 -p "$one" -U postgres -D "$pair/two" -R -c fast --no-sync
  as sh -c "echo 'port = $two' >>'$pair/two/postgresql.conf'"
  as "$bin/pg_ctl" -D "$pair/two" -l "$pair/two.log" -s -w start
  ask "$one" "insert into t select generate_series(1, 1000)"
  until [ "$(ask "$two" "select count(*) from t")" = 1000 ]; do sleep 0.05; done
  as "$bin/pg_ctl" -D "$pair/one" -m immediate -s -w stop
  sleep 0.5   # as long as it takes to notice: a promotion in the same instant can hit a lost wake-up
  begun=$(now)
  as "$bin/pg_ctl" -D "$pair/two" -s -w promote
  promoted=$(now)
  ask "$two" "insert into t values (0)"
  written=$(now)
  echo "$(((promoted - begun) / 1000000)) $(((written - begun) / 1000000))"
  stop "$folder"
done
