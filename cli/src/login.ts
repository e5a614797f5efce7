// `berth login`: saves the registry, with a key or a session, for the other commands.

import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { requestJson, requestWithCookies } from './admin.ts';
import { normaliseUrl, readSettings, settingsFile, type SavedSettings } from './client.ts';
import { defineCommand, UsageError } from './command.ts';
import { cleanKey, readKey, readVariable } from './environment.ts';
import { escapeValue, print } from './terminal.ts';

/** By the kind of session that the registry reports for a key. */
const DESCRIPTIONS: Record<string, string> = {
  'upload-key': 'with an upload key',
  'read-key': 'with a read key',
};

export const login = defineCommand({
  summary: 'save the address of a registry, with a key or a session',
  usage: 'login URL [--api-key KEY | --email ADDRESS [--code CODE]] [--json]',
  description: `Checks the API key with the registry at URL, and saves both in ~/.config/berth/config.json, which
only you can read (mode 0600). The key is taken from --api-key, BERTH_API_KEY or standard input, in this order;
without a key, only the address is saved.

With --email, signs in and saves the session, for the administration commands. The password is taken from
BERTH_PASSWORD or standard input. With two-factor authentication, --code gives the current code or a backup code.`,
  options: {
    'api-key': { type: 'string' },
    'email': { type: 'string' },
    'code': { type: 'string' },
    'json': { type: 'boolean' },
  },
  optionTexts: {
    'api-key': 'API key; standard input is safer, since other users can read command lines',
    'email': 'email address of the user to sign in as',
    'code': 'current six-digit code of the authenticator, or a backup code',
    'json': 'print the result as JSON, whose fields are stable',
  },
  examples: {
    'berth login https://registry.example.org < key.txt': 'with the key in a file',
    'berth login http://localhost:8080 --email admin@localhost < password.txt': 'sign in to administer the registry',
  },
  parameters: ['URL'],
  async run(values, url) {
    if (values['api-key'] !== undefined && values.email !== undefined)
      throw new UsageError('--api-key and --email cannot be combined');
    if (values.code !== undefined && values.email === undefined) throw new UsageError('--code requires --email');
    const registryUrl = normaliseUrl(url);
    const piped = process.stdin.isTTY ? '' : (await text(process.stdin)).trim();
    const result =
      values.email === undefined
        ? await checkKey(registryUrl, findKey(values['api-key'], piped))
        : await signIn(registryUrl, values.email, readVariable('BERTH_PASSWORD') ?? piped, values.code);
    // A key and a session of the same registry are both kept.
    const previous = readSettings(settingsFile());
    const { apiKey, session } = previous.url === registryUrl ? previous : {};
    const others = values.email === undefined ? { session } : { apiKey };
    writeSettings(settingsFile(), { url: registryUrl, ...others, ...result.settings });
    print(values.json ? JSON.stringify({ url: registryUrl, kind: result.kind }) : escapeValue(result.message));
  },
});

function findKey(option: string | undefined, piped: string): string | undefined {
  const key = cleanKey(option, '--api-key') ?? readKey('BERTH_API_KEY') ?? cleanKey(piped, 'the key');
  return key || undefined;
}

interface LoginResult {
  settings: SavedSettings;
  kind: string;
  message: string;
}

/** Checks a key. @throws Error if the registry refuses it, or if there is no registry at the URL */
async function checkKey(registryUrl: string, apiKey: string | undefined): Promise<LoginResult> {
  const session = await requestJson<{ kind?: string } | undefined>(
    registryUrl,
    'GET',
    '/api/v1/session',
    apiKey === undefined ? {} : { 'x-api-key': apiKey },
  );
  if (typeof session?.kind !== 'string') throw new Error(`${registryUrl} is not the address of a registry`);
  return {
    settings: apiKey === undefined ? {} : { apiKey },
    kind: session.kind,
    message:
      apiKey === undefined
        ? `Saved ${registryUrl}, without a key.`
        : `Logged in to ${registryUrl} ${DESCRIPTIONS[session.kind] ?? `as ${session.kind}`}.`,
  };
}

/** Signs in with a password. @throws Error if the registry refuses it */
async function signIn(
  registryUrl: string,
  email: string,
  password: string,
  code: string | undefined,
): Promise<LoginResult> {
  if (password === '') throw new Error('missing password: set BERTH_PASSWORD or pipe it to standard input');
  const { body, cookies } = await requestWithCookies<{ twoFactorRedirect?: boolean } | undefined>(
    registryUrl,
    'POST',
    '/api/auth/sign-in/email',
    {},
    { email, password },
  );
  const session = body?.twoFactorRedirect ? await verifySecondFactor(registryUrl, cookies, code) : cookies;
  return { settings: { session }, kind: 'user', message: `Logged in to ${registryUrl} as ${email}.` };
}

/**
 * Completes a sign-in and returns the cookies of the session.
 * @param pendingCookies cookies of the sign-in that awaits its second factor
 */
async function verifySecondFactor(
  registryUrl: string,
  pendingCookies: string,
  code: string | undefined,
): Promise<string> {
  if (code === undefined) throw new Error('this user has two-factor authentication: give the code with --code');
  const kind = /^\d{6}$/.test(code) ? 'totp' : 'backup-code';
  const { cookies } = await requestWithCookies(
    registryUrl,
    'POST',
    `/api/auth/two-factor/verify-${kind}`,
    { cookie: pendingCookies },
    { code },
  );
  return cookies;
}

function writeSettings(
  file: string,
  settings: { [Name in keyof SavedSettings]: SavedSettings[Name] | undefined },
): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
}
