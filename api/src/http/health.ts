// Liveness and readiness, for load balancers and orchestrators.

import type { FastifyInstance } from 'fastify';

/** Checks that must pass for the server to be ready, by name. */
export type HealthChecks = Record<string, () => Promise<void>>;

/** A check that takes longer counts as failed. */
const CHECK_TIMEOUT_MS = 3_000;

/** The server accepts requests in both phases. Before the first one it answers none. */
export type ServerPhase = 'serving' | 'stopping';

/** Registers `/ping`, `/health/live` and `/health/ready`; the last answers 503 with the unavailable parts. */
export function registerHealth(app: FastifyInstance, checks: HealthChecks, phaseNow: () => ServerPhase): void {
  app.get('/ping', { schema: { hide: true }, logLevel: 'warn' }, async (_request, reply) =>
    reply.type('text/plain; charset=utf-8').send('ok'),
  );
  app.get('/health/live', { schema: { hide: true }, logLevel: 'warn' }, async () => ({ status: 'ok' }));
  app.get('/health/ready', { schema: { hide: true }, logLevel: 'warn' }, async (request, reply) => {
    const results = await Promise.all(
      Object.entries(checks).map(
        async ([name, check]) =>
          [
            name,
            await passes(check, (error) => request.log.error({ err: error }, `readiness check failed: ${name}`)),
          ] as const,
      ),
    );
    const parts = Object.fromEntries(results.map(([name, ok]) => [name, ok ? 'ok' : 'unavailable']));
    const phase = phaseNow();
    const reachable = results.every(([, ok]) => ok);
    const status = phase !== 'serving' ? phase : reachable ? 'ok' : 'unavailable';
    return reply
      .code(status === 'ok' ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ status, ...parts });
  });
}

async function passes(check: () => Promise<void>, onError: (error: unknown) => void): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS);
  });
  try {
    await Promise.race([check(), timeout]);
    return true;
  } catch (error) {
    onError(error);
    return false;
  } finally {
    clearTimeout(timer);
  }
}
