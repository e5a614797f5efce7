#!/bin/sh
# postgres-cluster.sh PROGRAMS DIRECTORY SETTINGS: runs a private PostgreSQL on a socket in DIRECTORY, prints "ready".
# A line on stdin changes its state: `down` stops it like a power failure, `up` starts it again on its data, `freeze`
# suspends all of its processes, `thaw` resumes them; prints "ready" after each.
# When stdin closes, that is when the parent process ends, even by SIGKILL, stops the server and removes DIRECTORY.
set -eu
programs=$1 directory=$2 settings=$3

quietly() { "$@" >>"$directory/log" 2>&1 || { tail -n 20 "$directory/log" >&2; exit 1; }; }

up() {
  quietly "$programs/pg_ctl" start -w -t 60 -D "$directory/data" -l "$directory/log" \
    -o "-c unix_socket_directories='$directory' -c listen_addresses='' -c max_connections=300 $settings"
}

down() { quietly "$programs/pg_ctl" stop -w -m immediate -D "$directory/data"; }

# Suspends the postmaster first, so that it starts no new processes; resumes it last.
freeze() { postmaster=$(head -n 1 "$directory/data/postmaster.pid"); kill -STOP "$postmaster"; signal_children STOP; }
thaw() { signal_children CONT; kill -CONT "$postmaster"; postmaster=; }
signal_children() { for status in /proc/[0-9]*/status; do
  while read -r name value; do
    [ "$name" != PPid: ] || [ "$value" != "$postmaster" ] || kill "-$1" "$(basename "$(dirname "$status")")" || true
  done <"$status" 2>/dev/null || true
done; }

postmaster=
clean_up() {
  [ -z "$postmaster" ] || thaw
  "$programs/pg_ctl" stop -w -m immediate -D "$directory/data" >/dev/null 2>&1 || true
  rm -rf "$directory"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

quietly "$programs/initdb" -D "$directory/data" -U berth -A trust -E UTF8 --locale=C.UTF-8 --no-sync
up
echo ready
while read -r state; do
  "$state"
  echo ready
done
