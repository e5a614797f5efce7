#!/usr/bin/env bash
# Runs the action: installs the command outside the plug-in's folder, then publishes. The key is passed in the
# environment, since other users of a machine can read command lines. Without a key, the registry has to trust the job
# (id-token: write).
set -euo pipefail

tools="$(mktemp -d)"
trap 'rm -rf "$tools"' EXIT

# By default, the registry serves the command in its own version; npm requests that address on each run. npm 12 and
# later install from an address only with --allow-remote.
registry="$(tr -d '[:space:]' <<< "$BERTH_URL" | sed 's:/*$::')"
read -r -a packages <<< "${BERTH_CLI:-$registry/clients/cli.tgz}"

# Only the registry gets the key: neither npm nor install scripts can read it.
env -u BERTH_API_KEY -u ACTIONS_ID_TOKEN_REQUEST_URL -u ACTIONS_ID_TOKEN_REQUEST_TOKEN \
  npm install --loglevel=error --no-audit --no-fund --ignore-scripts --allow-remote=root \
  --prefix "$tools" "${packages[@]}"

parameters=(publish "$PLUGIN_DIRECTORY" --json)
# The output of a build has its dependencies in it.
[[ -z "$PLUGIN_BUNDLE" && -z "$PLUGIN_ROOT" ]] && PLUGIN_BUNDLE=true
[[ "$PLUGIN_BUNDLE" == true ]] && parameters+=(--bundle)
[[ -n "$PLUGIN_ROOT" ]] && parameters+=(--root "$PLUGIN_ROOT")
[[ -n "$PLUGIN_LINE" ]] && parameters+=(--line "$PLUGIN_LINE")
[[ "$PLUGIN_SCRIPTS" == true ]] && parameters+=(--scripts)
[[ -n "$PLUGIN_ID" ]] && parameters+=(--id "$PLUGIN_ID")
[[ -n "$PLUGIN_ARCHITECTURE" ]] && parameters+=(--architecture "$PLUGIN_ARCHITECTURE")
[[ -n "$PLUGIN_CATEGORY" ]] && parameters+=(--category "$PLUGIN_CATEGORY")

result="$("$tools/node_modules/.bin/berth" "${parameters[@]}")"
printf '%s\n' "$result"
if [[ -n "${GITHUB_OUTPUT:-}" ]]; then
  node -e 'const { id, digest = "" } = JSON.parse(process.argv[1]); console.log(`id=${id}\ndigest=${digest}`)' \
    "$result" >> "$GITHUB_OUTPUT"
fi
