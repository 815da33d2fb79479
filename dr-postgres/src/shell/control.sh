# Operations on one server's data directory, sent whole with each call: nothing is installed on the node.
# Arguments: data bin operation [argument...]. Needs a POSIX shell with `test -ef` (dash, bash, busybox) and /proc.
LC_ALL=C; export LC_ALL
umask 077
data=${1%/}; bin=$2; operation=$3; shift 3
parent=${data%/*}; name=${data##*/}
barred="$parent/.$name.dr-barred"
following="$parent/.$name.dr-following"
saved="$parent/.$name.dr-conf"

fail() { code=$1; shift; echo "$*" >&2; exit "$code"; }

# Every process of this server, orphans of a dead postmaster too: they run inside the data directory.
servers() {
  for process in /proc/[0-9]*; do
    [ "$process/cwd" -ef "$data" ] || continue
    # The usual case takes no process; a server whose program was replaced under it takes one.
    if [ "$process/exe" -ef "$bin/postgres" ]; then echo "${process#/proc/}"; continue; fi
    case $(readlink "$process/exe" 2>/dev/null) in
      */postgres | */postmaster | *"/postgres (deleted)" | *"/postmaster (deleted)") echo "${process#/proc/}" ;;
    esac
  done
}

postmaster() {
  [ -f "$data/postmaster.pid" ] || return 1
  read -r pid <"$data/postmaster.pid" || return 1
  pid=${pid#-}
  [ "/proc/$pid/cwd" -ef "$data" ] || return 1
  echo "$pid"
}

prefixed() { # prefix file
  while IFS= read -r line || [ -n "$line" ]; do printf '%s%s\n' "$1" "$line"; done <"$2"
}

# The timeline of the newest segment. The shell sorts what a pattern names.
newest() {
  hex='[0-9A-F][0-9A-F][0-9A-F][0-9A-F][0-9A-F][0-9A-F][0-9A-F][0-9A-F]'
  found=
  for segment in "$data"/pg_wal/$hex$hex$hex; do [ -e "$segment" ] && found=${segment##*/}; done
  [ -n "$found" ] && echo "newest=${found%????????????????}"
}

# Asked for several times in every fence and promotion: each process that it starts counts.
status() {
  if [ ! -d "$data" ]; then
    echo "exists=no"
  else
    echo "exists=yes"
    [ -O "$data" ] || [ "$(id -u)" = 0 ] || fail 77 "$data belongs to someone else: its processes cannot be seen"
    echo "postmaster=$(postmaster)"
    echo "servers="$(servers)
    [ -e "$data/standby.signal" ] && echo "standby=yes"
    [ -e "$data/promote.signal" ] && echo "promoting=yes"
    [ -e "$data/recovery.signal" ] && echo "recovering=yes"
    [ -e "$data/backup_label" ] && echo "backup_label=yes"
    newest
    for history in "$data"/pg_wal/*.history; do
      [ -e "$history" ] && prefixed "history=${history##*/}:" "$history"
    done
  fi
  [ -e "$barred" ] && prefixed barred_ "$barred"
  [ -e "$following" ] && prefixed following_ "$following"
  if [ -d "$data" ]; then
    "$bin/pg_controldata" -D "$data" || fail 78 "pg_controldata failed"
  fi
  return 0
}

mark() { # file line...
  file=$1; shift
  printf '%s\n' "$@" >"$file.new" && sync "$file.new" && mv "$file.new" "$file" && sync "$parent"
}

bar() { # run side since
  if [ ! -e "$barred" ]; then
    was=no; [ -e "$data/standby.signal" ] && was=yes
    mark "$barred" "run=$1" "side=$2" "since=$3" "standby=$was" || fail 79 "cannot write $barred"
  fi
  [ -e "$data/standby.signal" ] || { : >"$data/standby.signal" && sync "$data"; } || fail 79 "cannot write $data/standby.signal"
}

unbar() { # keep the standby.signal of a node that was a standby before
  if [ -e "$barred" ]; then
    grep -q '^standby=yes' "$barred" || rm -f "$data/standby.signal"
    sync "$data"
    rm -f "$barred" && sync "$parent"
  fi
}

clock() { # centiseconds, without a process
  read -r up _ </proc/uptime
  echo "${up%.*}${up#*.}"
}

# A killed postmaster that nobody reaped still counts as running to PostgreSQL's own check: its lock file is removed, but
# only where no process of this server lives.
forget_dead() {
  [ -z "$(postmaster)" ] && [ -z "$(servers)" ] && rm -f "$data/postmaster.pid"
}

await_gone() { # milliseconds
  until=$(($(clock) + $1 / 10))
  while [ -n "$(postmaster)" ] || [ -n "$(servers)" ]; do
    [ "$(clock)" -lt "$until" ] || return 1
    sleep 0.01
  done
}

stop() { # INT|QUIT|KILL milliseconds
  pid=$(postmaster)
  if [ -z "$pid" ] || [ "$1" = KILL ]; then
    for orphan in $(servers); do kill -s KILL "$orphan" 2>/dev/null; done
  else
    kill -s "$1" "$pid" 2>/dev/null
    # A suspended postmaster does not act on a signal: what comes next is to kill it.
    if [ "$1" = QUIT ] && grep -q '^State:[[:space:]]*T' "/proc/$pid/status"; then fail 9 "it is suspended"; fi
  fi
  await_gone "$2" || fail 9 "still running after $2 ms"
  forget_dead
}

gate() {
  if [ -e "$following" ]; then fail 75 "a rewind or copy of $data is under way or died half-way"; fi
  if [ -e "$barred" ] && [ ! -e "$data/standby.signal" ]; then
    fail 75 "$data is fenced: it may start as a standby only"
  fi
}

start() { # log [config_file]
  gate
  if [ -n "$(postmaster)" ]; then return 0; fi
  forget_dead
  set -- "$1" "${2:+-c config_file='$2'}"
  "$bin/pg_ctl" start -s -W -D "$data" -l "$1" ${2:+-o "$2"} </dev/null >/dev/null 2>&1 || fail 76 "pg_ctl start failed"
}

movable() {
  [ -L "$data/pg_wal" ] && fail 74 "pg_wal is a link: keeping a copy of it is not supported"
  [ -n "$(ls "$data/pg_tblspc" 2>/dev/null)" ] && fail 74 "there are tablespaces: keeping a copy of them is not supported"
  return 0
}

keep_copy() { # kept
  movable
  [ -d "$1" ] && return 0
  rm -rf "$1.partial"
  need=$(du -sk "$data" | cut -f1)
  free=$(df -Pk "$parent" | awk 'NR == 2 { print $4 }')
  [ "$free" -gt $((need + need / 20 + 65536)) ] || fail 73 "no space to keep the old data: $need KiB needed, $free KiB free"
  cp -a --reflink=auto "$data" "$1.partial" && mv "$1.partial" "$1" && sync "$parent" || fail 73 "cannot keep a copy in $1"
}

save_conf() {
  [ -d "$saved" ] && return 0
  rm -rf "$saved.new"; mkdir "$saved.new" || fail 72 "cannot save the configuration"
  for file in "$data"/*.conf "$data/conf.d"; do
    [ -e "$file" ] && cp -a "$file" "$saved.new/"
  done
  mv "$saved.new" "$saved"
}

restore_conf() {
  [ -d "$saved" ] || return 0
  cp -a "$saved"/. "$data"/ || fail 72 "cannot put the configuration back"
}

attach() { # slot ; conninfo on stdin: makes it a standby of that server
  conf="$data/postgresql.auto.conf"
  read -r conninfo
  if [ -e "$conf" ]; then
    grep -vE '^[[:space:]]*(primary_conninfo|primary_slot_name|recovery_target[a-z_]*)[[:space:]=]' "$conf" >"$conf.dr"
  else
    : >"$conf.dr"
  fi
  printf "primary_conninfo = '%s'\nprimary_slot_name = '%s'\n" "$conninfo" "$1" >>"$conf.dr"
  sync "$conf.dr" && mv "$conf.dr" "$conf"
  : >"$data/standby.signal"
  rm -f "$data/promote.signal" "$data/recovery.signal"
  sync "$data"
}

case $operation in
  status) status ;;
  fence) bar "$1" "$2" "$3"; stop "$4" "$5"; status ;;
  stop) stop "$1" "$2"; status ;;
  unbar) unbar; status ;;
  start) start "$@" ;;
  keep) keep_copy "$1"; save_conf ;;
  mark) mark "$following" "$@" ;;
  attach) attach "$1" ;;
  done) rm -rf "$saved"; rm -f "$barred" "$following"; sync "$parent" ;;
  forget_promotion) rm -f "$data/promote.signal" && : >"$data/standby.signal" && sync "$data" ;;
  recover) # database query: single-user mode: no network, no socket, ends cleanly by itself
    [ -n "$(servers)" ] && fail 71 "it runs"
    forget_dead
    rm -f "$data/standby.signal" "$data/recovery.signal" "$data/promote.signal"
    trap ': >"$data/standby.signal"' EXIT
    printf '%s\n' "$2" | "$bin/postgres" --single -F -D "$data" -c exit_on_error=true -c archive_mode=off \
      -c shared_preload_libraries= -c synchronous_standby_names= -c autovacuum=off -c log_destination=stderr \
      -c logging_collector=off "$1" ;;
  rewind) # conninfo, password on stdin
    read -r PGPASSWORD; [ -n "$PGPASSWORD" ] && export PGPASSWORD
    "$bin/pg_rewind" --target-pgdata="$data" --source-server="$1" || fail 70 "pg_rewind failed"
    : >"$data/standby.signal"
    restore_conf ;;
  reseed) # conninfo slot, password on stdin
    read -r PGPASSWORD; [ -n "$PGPASSWORD" ] && export PGPASSWORD
    rm -rf "$data"
    "$bin/pg_basebackup" -D "$data" -d "$1" -X stream -c fast -S "$2" || fail 70 "pg_basebackup failed"
    restore_conf ;;
  *) fail 64 "unknown operation $operation" ;;
esac
