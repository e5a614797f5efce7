import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createHttpServer, createMetrics, registerHealth, type ServerPhase } from '../../src/http/index.ts';

const passes = () => Promise.resolve();
const fails = () => Promise.reject(new Error('connect ECONNREFUSED 10.1.2.3 password=hunter2'));

type Checks = Record<'database' | 'storage', () => Promise<void>>;

function createApp({ database, storage }: Checks, phase: ServerPhase = 'serving') {
  const app = createHttpServer({
    basePath: '',
    trustedProxies: [],
    logLevel: 'warn',
    logStream: { write: () => undefined },
  });
  const metrics = createMetrics();
  const parts = {
    database: { check: database, isRequired: true, gauge: 'berth_database_up' },
    storage: { check: storage, isRequired: false, gauge: 'berth_storage_up' },
  };
  registerHealth(app, { parts, phaseNow: () => phase, metrics });
  return { app, metrics };
}

async function askReady(checks: Checks, phase?: ServerPhase): Promise<{ status: number; body: unknown }> {
  const { app } = createApp(checks, phase);
  const { statusCode, body, headers } = await app.inject('/health/ready');
  assert.equal(headers['cache-control'], 'no-store');
  assert.doesNotMatch(body, /10\.1\.2\.3|hunter2/);
  return { status: statusCode, body: JSON.parse(body) };
}

test('a server is ready if every check passes', async () => {
  assert.deepEqual(await askReady({ database: passes, storage: passes }), {
    status: 200,
    body: { status: 'ok', database: 'ok', storage: 'ok' },
  });
});

test('a server without its database is not ready', async () => {
  assert.deepEqual(await askReady({ database: fails, storage: passes }), {
    status: 503,
    body: { status: 'unavailable', database: 'unavailable', storage: 'ok' },
  });
  assert.deepEqual(await askReady({ database: fails, storage: fails }), {
    status: 503,
    body: { status: 'unavailable', database: 'unavailable', storage: 'unavailable' },
  });
});

test('a server without the storage, which all replicas share, is ready and reports it', async () => {
  assert.deepEqual(await askReady({ database: passes, storage: fails }), {
    status: 200,
    body: { status: 'ok', database: 'ok', storage: 'unavailable' },
  });
});

test('each part has a gauge', async () => {
  const { metrics } = createApp({ database: passes, storage: fails });
  const { text } = await metrics.render();
  assert.match(text, /^berth_database_up 1$/m);
  assert.match(text, /^berth_storage_up 0$/m);
});

const never = () => new Promise<void>(() => undefined);

test('a check that takes longer than 3 s fails', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const started = Promise.withResolvers<void>();
  const readiness = askReady({
    database: () => {
      started.resolve();
      return never();
    },
    storage: passes,
  });
  await started.promise;
  await nextTurn();
  t.mock.timers.tick(3_000);
  assert.deepEqual(await readiness, {
    status: 503,
    body: { status: 'unavailable', database: 'unavailable', storage: 'ok' },
  });
});

test('a check that hangs runs once, fails at once from then on, and is repeated when it has ended', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let runs = 0;
  let hang = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const { app } = createApp({
    database: passes,
    storage: () => {
      runs++;
      started.resolve();
      return hang.promise;
    },
  });
  const storage = async () => (await app.inject('/health/ready')).json<{ storage: string }>().storage;
  const first = storage();
  await started.promise;
  await nextTurn();
  t.mock.timers.tick(3_000);
  assert.equal(await first, 'unavailable');
  assert.equal(await storage(), 'unavailable');
  assert.equal(runs, 1);
  hang.resolve();
  hang = Promise.withResolvers();
  hang.resolve();
  await hang.promise;
  assert.equal(await storage(), 'ok');
  assert.equal(runs, 2);
});

test('a server that shuts down is not ready, even if all checks pass', async () => {
  assert.deepEqual(await askReady({ database: passes, storage: passes }, 'stopping'), {
    status: 503,
    body: { status: 'stopping', database: 'ok', storage: 'ok' },
  });
});

test('a server with failing checks is still live', async () => {
  const { app } = createApp({ database: fails, storage: fails });
  assert.equal((await app.inject('/health/live')).statusCode, 200);
  const { statusCode, body } = await app.inject('/ping');
  assert.deepEqual([statusCode, body], [200, 'ok']);
});
