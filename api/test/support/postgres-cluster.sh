#!/bin/sh
# postgres-cluster.sh PROGRAMS DIRECTORY SETTINGS: runs a private PostgreSQL that listens on a socket in DIRECTORY, and
# prints "ready". It ends when its standard input does, that is when whoever started it ends, be it by SIGKILL:
# no server and no directory stays behind.
set -eu
programs=$1 directory=$2 settings=$3

quietly() { "$@" >>"$directory/log" 2>&1 || { tail -n 20 "$directory/log" >&2; exit 1; }; }

clean_up() {
  "$programs/pg_ctl" stop -w -m immediate -D "$directory/data" >/dev/null 2>&1 || true
  rm -rf "$directory"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

quietly "$programs/initdb" -D "$directory/data" -U berth -A trust -E UTF8 --locale=C.UTF-8 --no-sync
quietly "$programs/pg_ctl" start -w -t 60 -D "$directory/data" -l "$directory/log" \
  -o "-c unix_socket_directories='$directory' -c listen_addresses='' -c max_connections=300 $settings"
echo ready
cat >/dev/null
