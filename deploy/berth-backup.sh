#!/bin/sh
# Backs up Berth into DIRECTORY/current, with the settings in the environment, and keeps a copy of each of the last
# days: DIRECTORY/2026-01-31. Copies share unchanged files (hard links), into which `berth backup` never writes.
# On Sundays, it also reads back what earlier backups have copied.
#
# berth-backup.sh DIRECTORY [COPIES], by default 14. As `berth backup`, it also fails if bytes are missing or damaged;
# everything else is then copied.
set -eu
directory=${1:?usage: berth-backup.sh DIRECTORY [COPIES]}
copies=${2:-14}
umask 077
manifest=$directory/current/manifest.json
before=$(cat "$manifest" 2>/dev/null || true)
verify=
[ "$(date +%u)" != 7 ] || verify=--verify
status=0
berth backup "$directory/current" --quiet $verify || status=$?
# A backup that failed as a whole has left the previous one in place, which has its copy.
[ "$(cat "$manifest" 2>/dev/null || true)" != "$before" ] || exit "$status"
today=$directory/$(date +%F)
rm -rf "$today.new"
cp --archive --link "$directory/current" "$today.new"
rm -rf "$today"
mv "$today.new" "$today"
find "$directory" -mindepth 1 -maxdepth 1 -name '????-??-??' | sort | head -n "-$copies" | while read -r old; do
  rm -rf "$old"
done
exit "$status"
