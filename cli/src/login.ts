// `berth login`: which registry, with which key, from now on.

import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { settingsFile, toAddress } from './client.ts';
import { defineCommand, UsageError } from './command.ts';

const TIMEOUT_MS = 30_000;

export const login = defineCommand({
  summary: 'keep the address of a registry, and a key of it',
  usage: 'login URL [--api-key KEY] [--json]',
  description: `Asks the registry at URL who the key is, and keeps both in ~/.config/berth/config.json, for you alone (mode 0600). The key is
that of --api-key, else of BERTH_API_KEY, else what the standard input brings; without one, only the address is kept.`,
  options: { 'api-key': { type: 'string' }, 'json': { type: 'boolean' } },
  optionTexts: { 'api-key': 'API key; better on the standard input, as others on this machine can read command lines', 'json': 'print the result as JSON, for scripts; its fields stay' },
  examples: {
    'berth login https://registry.example.org < key.txt': 'with the key in a file',
    'berth login http://localhost:8080': 'without a key: what is public can be read',
  },
  parameters: ['URL'],
  async run(values, url) {
    if (url === undefined) throw new UsageError('name URL');
    const piped = process.stdin.isTTY ? '' : (await text(process.stdin)).trim();
    const registryUrl = toAddress(url);
    const apiKey = values['api-key'] ?? process.env['BERTH_API_KEY'] ?? (piped || undefined);
    const kind = await askWho(registryUrl, apiKey);
    const file = settingsFile();
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(`${file}.new`, `${JSON.stringify({ url: registryUrl, ...(apiKey && { apiKey }) }, null, 2)}\n`, { mode: 0o600, flush: true });
    renameSync(`${file}.new`, file);
    process.stdout.write(values.json ? `${JSON.stringify({ url: registryUrl, kind })}\n` : `${registryUrl} it is, ${kind === 'anonymous' ? 'without a key' : `with ${kind === 'upload-key' ? 'an upload key' : 'a read key'}`}.\n`);
  },
});

/** @throws Error that says why the registry does not take the key, or is none */
async function askWho(registryUrl: string, apiKey: string | undefined): Promise<string> {
  let response: Response;
  try {
    response = await fetch(`${registryUrl}/api/v1/session`, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS), headers: apiKey ? { 'x-api-key': apiKey } : {} });
  } catch (error) {
    throw new Error(`the registry at ${registryUrl} cannot be reached: ${error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)}`, { cause: error });
  }
  const answer = await response.json().catch(() => ({})) as { kind?: string; detail?: string };
  if (!response.ok) throw new Error(answer.detail ?? `the registry at ${registryUrl} answered with ${response.status}`);
  if (typeof answer.kind !== 'string') throw new Error(`there is no registry at ${registryUrl}`);
  return answer.kind;
}
