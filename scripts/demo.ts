// `npm run demo`: the main job from beginning to end, each step with the command that a user would type.
// Its data stays in data/demo; nothing else of this machine is touched. The steps' own work lives in demo/.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { styleText } from 'node:util';
import { ensureArtefact, type EnsureArtefactOptions } from '@berth-registry/lib-node';
import { ConfigError, createServer } from '../api/index.ts';
import { startPlatform } from './demo/platform.ts';
import { createKey, createKeyCommand, publish, publishCommand, signIn, signInCommand } from './demo/registry.ts';
import { runPlugin } from './demo/run-plugin.ts';
import { keepSuperadmin, type Superadmin } from './demo/superadmin.ts';
import { packSample, SAMPLE_PACKAGE } from './sample.ts';

const DATA_DIR = 'data/demo';
const COOKIE_FILE = `${DATA_DIR}/cookies.txt`;
/** One artefact for each major: the id is the flag that services point at. */
const ARTEFACT_ID = `${SAMPLE_PACKAGE}@0`;
/** What of the environment the demo follows: nothing that leads to real data. */
const FOLLOWED_SETTINGS = ['PORT', 'HOST'];
const DEFAULT_PORT = 8080;

// As the server does: what is in the folder, secrets and a session among it, is for nobody else on this machine.
process.umask(0o077);
const opened: { close(): unknown }[] = [];
let ended: Promise<never> | undefined;
// Ctrl-C reaches a process below npm twice: from the terminal and from npm.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    ended ??= end(0, '\nBerth has stopped.');
  });

try {
  await walk();
} catch (error) {
  ended ??= end(1, `\n${explain(error)}`);
}

async function walk(): Promise<void> {
  print(
    existsSync(DATA_DIR)
      ? `The demo goes on in ${DATA_DIR}: what is there from before stays.`
      : `The demo works in the new folder ${DATA_DIR}.`,
  );
  const superadmin = await keepSuperadmin(DATA_DIR);

  step('Start the server', `DATA_DIR=${DATA_DIR} npm start`);
  const url = await startServer(superadmin);
  tell(`It serves at ${url}.`);

  const newKey = { type: 'upload', name: 'demo', allowedPackageName: SAMPLE_PACKAGE };
  step(
    'Sign in, and create a key that may upload this one package',
    signInCommand(url, superadmin, COOKIE_FILE),
    createKeyCommand(url, newKey, COOKIE_FILE),
  );
  const key = await createKey(url, await signIn(url, superadmin), newKey);
  tell(key);

  step('Pack the plug-in, with a dependency inside', 'npm run sample');
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
    'Consume it, as a service does, with the client library that the registry itself serves',
    `npm install --allow-remote=root --prefix ${DATA_DIR}/service ${await libraryAddress(url)}`,
    `export SECRET_REGISTRY=$(node -p "require('./${DATA_DIR}/secrets.json').SECRET_INTERNAL_SERVICES")`,
    `node ${DATA_DIR}/service/consume.mjs   # a file with these lines`,
  );
  code(consumerCode(consumer));
  const { path, downloaded } = await ensureArtefact(consumer);
  const place = relative(process.cwd(), path);
  tell(downloaded ? `Downloaded, verified and unpacked in ${place}` : `Nothing newer than what is in ${place}`);
  const again = await ensureArtefact(consumer);
  tell(
    `Asked again: ${again.downloaded ? 'there was something newer' : 'one small request, and nothing to download'}.`,
  );

  step('Run it, for a stand-in of the platform that it was made for; this takes 12 seconds');
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
  for (const [line, value] of platform.lines) tell(`The platform has received ${line}: ${JSON.stringify(value)}`);

  print(`\n${styleText('bold', 'Done. Berth keeps serving, to look around:')}`);
  tell(`${url} and ${url}/api-docs`);
  tell(`Sign in as ${superadmin.email} with the password ${superadmin.password}`);
  tell(`Ctrl-C ends it. Everything is in ${DATA_DIR}: run the demo again on it, or delete the folder to begin anew.`);
}

async function startServer({ email, password }: Superadmin): Promise<string> {
  const followed = Object.fromEntries(FOLLOWED_SETTINGS.map((name) => [name, process.env[name]]));
  const server = await createServer({
    env: { ...followed, DATA_DIR, LOG_LEVEL: 'warn', ADMIN_EMAIL: email, ADMIN_PASSWORD: password },
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
      `The demo has failed: ${error instanceof Error ? error.message : String(error)}\nIf ${DATA_DIR} is ` +
      'from an older demo, delete it and try again.'
    );
  const isTaken = error.message.includes('has taken');
  return `Berth cannot start: ${error.message}${isTaken ? `\nFor the demo: PORT=${Number(process.env['PORT'] ?? DEFAULT_PORT) + 1} npm run demo` : ''}`;
}

async function end(status: 0 | 1, lastWords: string): Promise<never> {
  for (const it of opened.splice(0).reverse()) await it.close();
  (status === 0 ? process.stdout : process.stderr).write(`${lastWords}\n`);
  process.exit(status);
}
