// `npm run demo`: publishes, consumes and runs a plug-in, and prints each step with the command that a user would
// type. Its data stays in data/demo; it changes nothing else on this machine. demo/ implements the steps.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { styleText } from 'node:util';
import { ensureArtefact, type EnsureArtefactOptions } from '@berth-registry/lib-node';
import { ConfigError, createServer } from '../api/index.ts';
import { startPlatform } from './demo/platform.ts';
import { createKey, createKeyCommand, publish, publishCommand, signIn, signInCommand } from './demo/registry.ts';
import { runPlugin } from './demo/run-plugin.ts';
import { ensureSuperadmin, type Superadmin } from './demo/superadmin.ts';
import { packSample, SAMPLE_PACKAGE } from './sample.ts';

const DATA_DIR = 'data/demo';
const COOKIE_FILE = `${DATA_DIR}/cookies.txt`;
/** One artefact per major version, as services refer to it. */
const ARTEFACT_ID = `${SAMPLE_PACKAGE}@0`;
/** Environment variables that the demo uses; none that could lead to real data. */
const USED_SETTINGS = ['PORT', 'HOST'];
const DEFAULT_PORT = 8080;

// Like the server: other users of this machine must not read the secrets and the session in the folder.
process.umask(0o077);
const opened: { close(): unknown }[] = [];
let ended: Promise<never> | undefined;
// Ctrl-C reaches a child of npm twice: from the terminal and from npm.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    ended ??= end(0, '\nBerth has stopped.');
  });

try {
  await runDemo();
} catch (error) {
  ended ??= end(1, `\n${explain(error)}`);
}

async function runDemo(): Promise<void> {
  print(
    existsSync(DATA_DIR)
      ? `The demo continues in ${DATA_DIR}, with the data of the previous run.`
      : `The demo uses the new folder ${DATA_DIR}.`,
  );
  const superadmin = await ensureSuperadmin(DATA_DIR);

  step('Start the server', `DATA_DIR=${DATA_DIR} npm start`);
  const url = await startServer(superadmin);
  tell(`Listening on ${url}.`);

  const newKey = { type: 'upload', name: 'demo', allowedPackageName: SAMPLE_PACKAGE };
  step(
    'Sign in, and create a key that may upload only this package',
    signInCommand(url, superadmin, COOKIE_FILE),
    createKeyCommand(url, newKey, COOKIE_FILE),
  );
  const key = await createKey(url, await signIn(url, superadmin), newKey);
  tell(key);

  step('Pack the plug-in with a bundled dependency', 'npm run sample');
  const tarball = relative(process.cwd(), await packSample(DATA_DIR));
  tell(tarball);

  step('Publish it', publishCommand(url, ARTEFACT_ID, key, tarball));
  const slot = await publish(url, ARTEFACT_ID, key, tarball);
  tell(`Version ${slot.version} is in the slot noarch: ${slot.size} bytes, ${slot.digest}`);

  const consumer = {
    registryUrl: url,
    secretKey: await readInternalSecret(),
    artefactId: ARTEFACT_ID,
    cacheDir: `${DATA_DIR}/plugins`,
  };
  step(
    'Consume it like a service, with the client library that the registry itself serves',
    `npm install --allow-remote=root --prefix ${DATA_DIR}/service ${await libraryAddress(url)}`,
    `export SECRET_REGISTRY=$(node -p "require('./${DATA_DIR}/secrets.json').SECRET_INTERNAL_SERVICES")`,
    `node ${DATA_DIR}/service/consume.mjs   # a file with these lines:`,
  );
  code(consumerCode(consumer));
  const { path, downloaded } = await ensureArtefact(consumer);
  const place = relative(process.cwd(), path);
  tell(downloaded ? `Downloaded, verified and unpacked in ${place}` : `Already up to date in ${place}`);
  const again = await ensureArtefact(consumer);
  tell(`Second call: ${again.downloaded ? 'downloaded a newer version' : 'one small request, nothing to download'}.`);

  step('Run it against a stand-in for its platform; this takes 12 seconds');
  code(`await require('./${place}').run({ processingConfig, axios, log, … })`);
  const platform = await startPlatform();
  opened.push(platform);
  await runPlugin({
    path,
    workDir: `${DATA_DIR}/work`,
    platformUrl: platform.url,
    say: (text) => {
      tell(styleText('dim', text));
    },
  });
  for (const [line, value] of platform.lines) tell(`The platform received ${line}: ${JSON.stringify(value)}`);

  print(`\n${styleText('bold', 'Done. Berth keeps running:')}`);
  tell(`${url} and ${url}/api-docs`);
  tell(`Sign in as ${superadmin.email} with the password ${superadmin.password}`);
  tell(`Press Ctrl-C to stop it. All data is in ${DATA_DIR}: delete the folder to start over.`);
}

async function startServer({ email, password }: Superadmin): Promise<string> {
  const settings = Object.fromEntries(USED_SETTINGS.map((name) => [name, process.env[name]]));
  const server = await createServer({
    env: { ...settings, DATA_DIR, LOG_LEVEL: 'warn', ADMIN_EMAIL: email, ADMIN_PASSWORD: password },
  });
  opened.push(server);
  return server.config.PUBLIC_URL;
}

async function readInternalSecret(): Promise<string> {
  const secrets = JSON.parse(await readFile(`${DATA_DIR}/secrets.json`, 'utf8')) as {
    SECRET_INTERNAL_SERVICES: string;
  };
  return secrets.SECRET_INTERNAL_SERVICES;
}

async function libraryAddress(url: string): Promise<string> {
  const { results } = (await (await fetch(`${url}/clients`)).json()) as { results: { name: string; url: string }[] };
  return results.find(({ name }) => name === 'lib-node')?.url ?? '';
}

function consumerCode({ registryUrl, artefactId, cacheDir }: EnsureArtefactOptions): string {
  return `import { ensureArtefact } from '@berth-registry/lib-node';
const { path } = await ensureArtefact({
  registryUrl: '${registryUrl}', secretKey: process.env.SECRET_REGISTRY,
  artefactId: '${artefactId}', cacheDir: '${cacheDir}',
});`;
}

function step(title: string, ...commands: string[]): void {
  print(`\n${styleText('bold', title)}`);
  for (const command of commands) tell(styleText('cyan', `$ ${command}`));
}

function code(text: string): void {
  for (const line of text.split('\n')) tell(styleText('cyan', `| ${line}`));
}

function tell(text: string): void {
  print(`  ${text}`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function explain(error: unknown): string {
  if (!(error instanceof ConfigError))
    return (
      `The demo failed: ${error instanceof Error ? error.message : String(error)}\nIf ${DATA_DIR} is ` +
      'from an older version, delete it and try again.'
    );
  const isPortInUse = error.cause instanceof Error && 'code' in error.cause && error.cause.code === 'EADDRINUSE';
  const nextPort = Number(process.env['PORT'] ?? DEFAULT_PORT) + 1;
  return `Berth cannot start: ${error.message}${isPortInUse ? `\nFor the demo: PORT=${nextPort} npm run demo` : ''}`;
}

async function end(status: 0 | 1, message: string): Promise<never> {
  for (const it of opened.splice(0).reverse()) await it.close();
  (status === 0 ? process.stdout : process.stderr).write(`${message}\n`);
  process.exit(status);
}
