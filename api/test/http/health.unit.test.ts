import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHttpServer, registerHealth, type HealthChecks, type ServerPhase } from '../../src/http/index.ts';

const passes = () => Promise.resolve();
const fails = () => Promise.reject(new Error('connect ECONNREFUSED 10.1.2.3 password=hunter2'));

async function askReady(
  checks: HealthChecks,
  phase: ServerPhase = 'serving',
): Promise<{ status: number; body: unknown }> {
  const app = createHttpServer({
    basePath: '',
    trustedProxies: [],
    logLevel: 'warn',
    logStream: { write: () => undefined },
  });
  registerHealth(app, checks, () => phase);
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

test('a server that is not ready reports the failed checks', async () => {
  assert.deepEqual(await askReady({ database: fails, storage: passes }), {
    status: 503,
    body: { status: 'unavailable', database: 'unavailable', storage: 'ok' },
  });
  assert.deepEqual(await askReady({ database: passes, storage: fails }), {
    status: 503,
    body: { status: 'unavailable', database: 'ok', storage: 'unavailable' },
  });
  assert.deepEqual(await askReady({ database: fails, storage: fails }), {
    status: 503,
    body: { status: 'unavailable', database: 'unavailable', storage: 'unavailable' },
  });
});

test('a check that takes longer than 3 s fails', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const started = Promise.withResolvers<void>();
  const readiness = askReady({
    database: () => {
      started.resolve();
      return new Promise(() => undefined);
    },
    storage: passes,
  });
  await started.promise;
  t.mock.timers.tick(3_000);
  assert.deepEqual(await readiness, {
    status: 503,
    body: { status: 'unavailable', database: 'unavailable', storage: 'ok' },
  });
});

test('a server that shuts down is not ready, even if all checks pass', async () => {
  assert.deepEqual(await askReady({ database: passes }, 'stopping'), {
    status: 503,
    body: { status: 'stopping', database: 'ok' },
  });
});

test('a server with failing checks is still live', async () => {
  const app = createHttpServer({
    basePath: '',
    trustedProxies: [],
    logLevel: 'warn',
    logStream: { write: () => undefined },
  });
  registerHealth(app, { database: fails }, () => 'serving');
  assert.equal((await app.inject('/health/live')).statusCode, 200);
  const { statusCode, body } = await app.inject('/ping');
  assert.deepEqual([statusCode, body], [200, 'ok']);
});
