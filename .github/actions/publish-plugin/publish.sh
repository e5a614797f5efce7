#!/usr/bin/env bash
# What the action runs: installs the command beside the plug-in, never into it, and publishes. The key is in the environment, since
# others on a machine can read command lines; without one, the registry is asked to trust the job (id-token: write).
set -euo pipefail

tools="$(mktemp -d)"
trap 'rm -rf "$tools"' EXIT

# By default the command comes from the registry, in the version that fits it: npm asks for that address each time.
# From version 12 on, npm installs from an address only with --allow-remote.
registry="$(sed 's:/*$::' <<< "$BERTH_URL")"
read -r -a packages <<< "${BERTH_CLI:-$registry/clients/cli.tgz}"

# The key is for the registry alone: not for npm, nor for any script of a package.
env -u BERTH_API_KEY -u ACTIONS_ID_TOKEN_REQUEST_URL -u ACTIONS_ID_TOKEN_REQUEST_TOKEN \
  npm install --loglevel=error --no-audit --no-fund --ignore-scripts --allow-remote=root \
  --prefix "$tools" "${packages[@]}"

parameters=(publish "$PLUGIN_DIRECTORY" --json)
[[ "$PLUGIN_BUNDLE" == true ]] && parameters+=(--bundle)
[[ "$PLUGIN_SCRIPTS" == true ]] && parameters+=(--scripts)
[[ -n "$PLUGIN_ID" ]] && parameters+=(--id "$PLUGIN_ID")
[[ -n "$PLUGIN_ARCHITECTURE" ]] && parameters+=(--architecture "$PLUGIN_ARCHITECTURE")
[[ -n "$PLUGIN_CATEGORY" ]] && parameters+=(--category "$PLUGIN_CATEGORY")

result="$("$tools/node_modules/.bin/berth" "${parameters[@]}")"
printf '%s\n' "$result"
if [[ -n "${GITHUB_OUTPUT:-}" ]]; then
  node -e 'const { id, digest = "" } = JSON.parse(process.argv[1]); console.log(`id=${id}\ndigest=${digest}`)' "$result" >> "$GITHUB_OUTPUT"
fi
