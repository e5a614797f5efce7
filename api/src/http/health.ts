// Liveness and readiness, for load balancers and orchestrators.

import type { FastifyInstance } from 'fastify';
import type { Metrics } from './metrics.ts';

/** Something that the server needs. */
export interface HealthPart {
  /** Throws if the part does not work. */
  check: () => Promise<void>;
  /**
   * Whether the server is not ready without it. False for a part that all replicas share and whose loss leaves useful
   * requests: taking every replica out of service would end those, too.
   */
  isRequired: boolean;
  /** Name of its gauge, `berth_…_up`: 1 while it works, else 0. */
  gauge: string;
}

/** The parts by the names that they have in the response. */
export type HealthParts = Record<string, HealthPart>;

/** A check that takes longer counts as failed. */
const CHECK_TIMEOUT_MS = 3_000;

/** The server accepts requests in both phases. Before the first one it answers none. */
export type ServerPhase = 'serving' | 'stopping';

export interface HealthOptions {
  parts: HealthParts;
  phaseNow: () => ServerPhase;
  metrics: Pick<Metrics, 'gauge'>;
}

/**
 * Registers `/ping`, `/health/live` and `/health/ready`, which names the state of each part and answers 503 while the
 * server stops or lacks a required one; and a gauge for each part.
 */
export function registerHealth(app: FastifyInstance, { parts, phaseNow, metrics }: HealthOptions): void {
  const probes = Object.entries(parts).map(([name, { check, isRequired, gauge }]) => {
    const probe = createProbe(check);
    metrics.gauge(gauge, `1 while the ${name} works, else 0`, async () => ((await probe()) === undefined ? 1 : 0));
    return { name, isRequired, probe };
  });
  const statusOf = (states: readonly { isRequired: boolean; isUp: boolean }[]) => {
    const phase = phaseNow();
    const hasRequired = states.every(({ isRequired, isUp }) => isUp || !isRequired);
    return phase !== 'serving' ? phase : hasRequired ? 'ok' : 'unavailable';
  };
  metrics.gauge('berth_ready', '1 while /api/health/ready answers 200, else 0', async () => {
    const states = await Promise.all(
      probes.map(async ({ isRequired, probe }) => ({ isRequired, isUp: (await probe()) === undefined })),
    );
    return statusOf(states) === 'ok' ? 1 : 0;
  });
  app.get('/ping', { schema: { hide: true }, logLevel: 'warn' }, async (_request, reply) =>
    reply.type('text/plain; charset=utf-8').send('ok'),
  );
  app.get('/health/live', { schema: { hide: true }, logLevel: 'warn' }, async () => ({ status: 'ok' }));
  app.get('/health/ready', { schema: { hide: true }, logLevel: 'warn' }, async (request, reply) => {
    const states = await Promise.all(
      probes.map(async ({ name, isRequired, probe }) => {
        const error = await probe();
        if (error) request.log.error({ err: app.limitStack(error, name) }, `readiness check failed: ${name}`);
        return { name, isRequired, isUp: !error };
      }),
    );
    const status = statusOf(states);
    return reply
      .code(status === 'ok' ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ status, ...Object.fromEntries(states.map(({ name, isUp }) => [name, isUp ? 'ok' : 'unavailable'])) });
  });
}

/**
 * Returns a function that runs a check and resolves to its error, if any. A check that hangs is not started again:
 * each one on a disk that hangs would keep a thread of the pool that all requests need. Once it has timed out, it
 * counts as failed at once.
 */
function createProbe(check: () => Promise<void>): () => Promise<Error | undefined> {
  let current: Promise<Error | undefined> | undefined;
  return () => {
    if (current) return current;
    let timer: NodeJS.Timeout | undefined;
    const checked = check()
      .then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
      )
      .finally(() => {
        clearTimeout(timer);
        current = undefined;
      });
    const timedOut = new Promise<Error>((resolve) => {
      timer = setTimeout(() => {
        resolve(new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`));
      }, CHECK_TIMEOUT_MS);
    });
    return (current = Promise.race([checked, timedOut]));
  };
}
