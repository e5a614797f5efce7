// `berth login`: which registry, with which key or session, from now on.

import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { askJson, request } from './admin.ts';
import { readSaved, settingsFile, toAddress, type SavedSettings } from './client.ts';
import { defineCommand, UsageError } from './command.ts';

const KINDS: Record<string, string> = {
  'anonymous': 'without a key',
  'upload-key': 'with an upload key',
  'read-key': 'with a read key',
};

export const login = defineCommand({
  summary: 'keep the address of a registry, and a key or a session of it',
  usage: 'login URL [--api-key KEY | --email ADDRESS [--code CODE]] [--json]',
  description: `Asks the registry at URL who the key is, and keeps both in ~/.config/berth/config.json, for you alone (mode 0600). The key is
that of --api-key, else of BERTH_API_KEY, else what the standard input brings; without one, only the address is kept.

With --email, it signs in and keeps the session, for the commands of administrators: the password is that of BERTH_PASSWORD, else
what the standard input brings. A user with a second factor gives its code, or a backup code, with --code.`,
  options: {
    'api-key': { type: 'string' },
    'email': { type: 'string' },
    'code': { type: 'string' },
    'json': { type: 'boolean' },
  },
  optionTexts: {
    'api-key': 'API key; better on the standard input, as others on this machine can read command lines',
    'email': 'address of a user of the registry, to sign in as',
    'code': 'six digits that the authenticator shows now, or a backup code',
    'json': 'print the result as JSON, for scripts; its fields stay',
  },
  examples: {
    'berth login https://registry.example.org < key.txt': 'with the key in a file',
    'berth login http://localhost:8080 --email admin@localhost < password.txt': 'to administer it',
  },
  parameters: ['URL'],
  async run(values, url) {
    if (url === undefined) throw new UsageError('name URL');
    if (values['api-key'] !== undefined && values.email !== undefined)
      throw new UsageError('--api-key and --email exclude each other');
    if (values.code !== undefined && values.email === undefined) throw new UsageError('--code goes with --email');
    const registryUrl = toAddress(url);
    const piped = process.stdin.isTTY ? '' : (await text(process.stdin)).trim();
    const kept =
      values.email === undefined
        ? await withKey(registryUrl, values['api-key'] ?? process.env['BERTH_API_KEY'] ?? (piped || undefined))
        : await withSession(registryUrl, values.email, process.env['BERTH_PASSWORD'] ?? piped, values.code);
    // A key and a session of one registry stand side by side.
    const before = readSaved(settingsFile());
    const { apiKey, session } = before.url === registryUrl ? before : {};
    const others = values.email === undefined ? { session } : { apiKey };
    write(settingsFile(), { url: registryUrl, ...others, ...kept.settings });
    process.stdout.write(
      values.json
        ? `${JSON.stringify({ url: registryUrl, kind: kept.kind })}\n`
        : `${registryUrl} it is, ${kept.said}.\n`,
    );
  },
});

interface Kept {
  settings: SavedSettings;
  kind: string;
  said: string;
}

/** @throws Error that says why the registry does not take the key, or is none */
async function withKey(registryUrl: string, apiKey: string | undefined): Promise<Kept> {
  const session = await askJson<{ kind?: string } | undefined>(
    registryUrl,
    'GET',
    '/api/v1/session',
    apiKey === undefined ? {} : { 'x-api-key': apiKey },
  );
  if (typeof session?.kind !== 'string') throw new Error(`there is no registry at ${registryUrl}`);
  return {
    settings: apiKey === undefined ? {} : { apiKey },
    kind: session.kind,
    said: KINDS[session.kind] ?? `as ${session.kind}`,
  };
}

/** @throws Error that says why the registry does not let this user in */
async function withSession(
  registryUrl: string,
  email: string,
  password: string,
  code: string | undefined,
): Promise<Kept> {
  if (password === '') throw new Error('give the password in BERTH_PASSWORD or on the standard input');
  const { answer, cookies } = await request<{ twoFactorRedirect?: boolean } | undefined>(
    registryUrl,
    'POST',
    '/api/auth/sign-in/email',
    {},
    { email, password },
  );
  const session = answer?.twoFactorRedirect ? await withSecondFactor(registryUrl, cookies, code) : cookies;
  return { settings: { session }, kind: 'user', said: `as ${email}` };
}

/** @param begun cookies of a sign-in that waits for its second factor */
async function withSecondFactor(registryUrl: string, begun: string, code: string | undefined): Promise<string> {
  if (code === undefined) throw new Error('this user has a second factor: give its code with --code');
  const kind = /^\d{6}$/.test(code) ? 'totp' : 'backup-code';
  const { cookies } = await request(
    registryUrl,
    'POST',
    `/api/auth/two-factor/verify-${kind}`,
    { cookie: begun },
    { code },
  );
  return cookies;
}

function write(file: string, settings: { [Name in keyof SavedSettings]: SavedSettings[Name] | undefined }): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
}
