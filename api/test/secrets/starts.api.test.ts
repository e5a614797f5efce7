// A server starts only with the secrets that its data depends on: every way to have them, or not to have them, with an
// empty database, one in use, and one in use of a version that stored no fingerprints.

import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  ALL_WORK,
  BOUND,
  clientOf,
  createDependants,
  forgetFingerprints,
  INTERNAL_SECRET,
  NAMES,
  refusal,
  secretsOf,
  start,
  startUpstream,
  whatWorks,
  type Dependants,
  type Env,
  type Upstream,
} from './instance.ts';

const scratch = mkdtempSync(join(tmpdir(), 'berth-secrets-'));
const OWN: Env = { ...secretsOf('a'), SECRET_INTERNAL_SERVICES: INTERNAL_SECRET };
const OTHER = secretsOf('b');

/** A way to give the secrets of the instance to a start. */
interface Way {
  /** Text of secrets.json; undefined: no such file. */
  file?: string;
  env?: Env;
  /** Refused as damaged, whatever the database contains. */
  isDamaged?: boolean;
  /** Secrets that rows depend on and that are not known. */
  missing?: string[];
  /** Secrets that rows depend on and that have another value. */
  different?: string[];
}

const without = (name: string) => Object.fromEntries(Object.entries(OWN).filter(([key]) => key !== name));
const isBound = (name: string) => (BOUND as readonly string[]).includes(name);
const file = (secrets: unknown) => JSON.stringify(secrets);
const inFiles = () =>
  Object.fromEntries(
    NAMES.map((name) => {
      writeFileSync(join(scratch, name), `${OWN[name] ?? ''}\n`);
      return [`${name}_FILE`, join(scratch, name)];
    }),
  );

const WAYS: Record<string, Way> = {
  'all in secrets.json': { file: file(OWN) },
  'no secrets.json': { missing: [...BOUND] },
  '{} as secrets.json': { file: '{}', missing: [...BOUND] },
  'secrets.json cut short': { file: file(OWN).slice(0, 50), isDamaged: true },
  'a list as secrets.json': { file: '[]', isDamaged: true },
  'a number in secrets.json': { file: file({ ...OWN, AUTH_SECRET: 1 }), isDamaged: true },
  'all in the environment': { env: OWN },
  'all in files that the environment names': { env: inFiles() },
  'one in the environment, another there in secrets.json': {
    file: file({ ...OWN, AUTH_SECRET: OTHER['AUTH_SECRET'] }),
    env: { AUTH_SECRET: OWN['AUTH_SECRET'] ?? '' },
  },
};
/** The same for each secret. */
const WAYS_OF_ONE: Record<string, Way> = Object.fromEntries(
  NAMES.flatMap((name): [string, Way][] => {
    const changed = { ...OWN, [name]: OTHER[name] ?? '' };
    return [
      [`${name} missing in secrets.json`, { file: file(without(name)), missing: [name].filter(isBound) }],
      [`another ${name} in secrets.json`, { file: file(changed), different: [name].filter(isBound) }],
      [`another ${name} in the environment`, { env: changed, different: [name].filter(isBound) }],
    ];
  }),
);

let upstream: Upstream;
let used: string;
let dependants: Dependants;
before(async () => {
  upstream = await startUpstream();
  used = join(scratch, 'used');
  mkdirSync(used);
  writeFileSync(join(used, 'secrets.json'), file(OWN));
  const server = await start({ DATA_DIR: used });
  dependants = await createDependants(clientOf(server), upstream);
  await server.close();
});
after(async () => {
  await upstream.close();
  rmSync(scratch, { recursive: true });
});

let last = 0;
/** Copies the instance, or creates an empty one, with secrets given in one way. */
function prepare({ file: text, env = {} }: Way, database: 'empty' | 'in use'): Env & { DATA_DIR: string } {
  const folder = join(scratch, `data-${++last}`);
  if (database === 'empty') mkdirSync(folder);
  else cpSync(used, folder, { recursive: true });
  rmSync(join(folder, 'secrets.json'), { force: true });
  if (text !== undefined) writeFileSync(join(folder, 'secrets.json'), text);
  return { DATA_DIR: folder, ...env };
}

const storedIn = (folder: string) =>
  existsSync(join(folder, 'secrets.json')) ? readFileSync(join(folder, 'secrets.json'), 'utf8') : undefined;

async function assertRefused(way: Way, env: Env & { DATA_DIR: string }): Promise<void> {
  const message = await refusal(env);
  assert.match(message, /^[^\n]+\.$/);
  for (const secret of [...Object.values(OWN), ...Object.values(OTHER)]) assert.ok(!message.includes(secret));
  if (way.isDamaged) assert.match(message, /secrets\.json is damaged: .*berth secrets reset\.$/);
  else {
    assert.match(message, /: restore .* run berth secrets reset\.$/);
    // The folder's name is random, and may have five capitals.
    const [problem = ''] = message.replaceAll(env.DATA_DIR, '').split(', but ', 1);
    assert.deepEqual(
      problem.match(/[A-Z_]{5,}/g)?.toSorted(),
      [...(way.missing ?? []), ...(way.different ?? [])].toSorted(),
    );
  }
  assert.equal(storedIn(env.DATA_DIR), way.file, 'nothing was generated');
}

async function assertStarts(env: Env): Promise<void> {
  await (await start(env)).close();
}

async function assertKeepsEverything(env: Env): Promise<void> {
  const server = await start(env);
  try {
    assert.deepEqual(await whatWorks(clientOf(server), dependants, dependants.backupCodes[0] ?? ''), ALL_WORK);
  } finally {
    await server.close();
  }
}

describe('a start with SQLite', () => {
  for (const [name, way] of Object.entries(WAYS))
    test(`on an empty database with ${name} ${way.isDamaged ? 'is refused' : 'works'}`, async () => {
      const env = prepare(way, 'empty');
      if (way.isDamaged) return assertRefused(way, env);
      await assertStarts(env);
      // Whatever was generated is stored: the next start works as well.
      if (way.missing) await assertStarts(env);
    });

  for (const [name, way] of Object.entries({ ...WAYS, ...WAYS_OF_ONE })) {
    const isRefused = way.isDamaged || (way.missing ?? way.different ?? []).length > 0;
    test(`on a database in use with ${name} ${isRefused ? 'is refused' : 'works'}`, async () => {
      const env = prepare(way, 'in use');
      await (isRefused ? assertRefused(way, env) : assertKeepsEverything(env));
    });
  }

  const ofOne = Object.entries(WAYS_OF_ONE).filter(([name]) => name.includes('API_KEYS_SALT'));
  for (const [name, way] of [...Object.entries(WAYS), ...ofOne]) {
    const { different = [], ...rest } = way;
    const isRefused = way.isDamaged || (way.missing ?? []).length > 0;
    test(`on a database in use without fingerprints with ${name} ${isRefused ? 'is refused' : 'works'}`, async () => {
      const env = prepare(way, 'in use');
      await forgetFingerprints(env);
      if (isRefused) return assertRefused(rest, env);
      if (different.length === 0) return assertKeepsEverything(env);
      await assertStarts(env);
      // From now on, only the adopted secrets are accepted.
      await assertRefused(way, { ...env, ...OWN });
    });
  }

  test('is refused with the sentence that the guide on backups explains', async () => {
    const env = prepare({}, 'in use');
    const message = (await refusal(env)).replace(env.DATA_DIR, '/var/lib/berth');
    const guide = readFileSync(join(import.meta.dirname, '../../../docs/guides/backup.md'), 'utf8');
    assert.ok(guide.includes(`\nBerth cannot start: ${message}\n`), message);
  });
});
