#!/bin/sh
# dr-start-gate PGDATA: may PostgreSQL start on this data directory now?
#
# Exit 0: yes. Exit 1: no, with the reason on stderr. Use it as systemd's
#   ExecStartPre=/usr/local/bin/dr-start-gate /var/lib/postgresql/15/main
# or as an init container. It needs a POSIX shell and nothing else.
#
# Two markers stand beside the data directory, not in it, so that no rewind or copy wipes them:
#   .NAME.dr-following  a rewind or a copy is under way or died half-way: never start
#   .NAME.dr-barred     fenced: start as a standby only
data=${1:?usage: dr-start-gate PGDATA}
data=${data%/}
case $data in */*) parent=${data%/*} ;; *) parent=. ;; esac
name=${data##*/}
if [ -e "$parent/.$name.dr-following" ]; then
  echo "dr-start-gate: $data is being rewound or copied, or that died half-way: run \`dr protect\`" >&2
  exit 1
fi
if [ -e "$parent/.$name.dr-barred" ] && [ ! -e "$data/standby.signal" ]; then
  echo "dr-start-gate: $data is fenced: it may start as a standby only" >&2
  exit 1
fi
exit 0
