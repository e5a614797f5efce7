// Prometheus metrics of one process (https://prometheus.io/docs/practices/naming/).

import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface Metrics {
  /** Counts and times the requests of an app. */
  observe(app: FastifyInstance): void;
  /** Records how long a query took. */
  onQuery: (seconds: number) => void;
  /** Registers a gauge whose value is read each time the metrics are rendered; a failing one is left out. */
  gauge(name: string, help: string, read: () => Promise<number>): void;
  /** Renders all metrics as Prometheus text. */
  render(): Promise<{ contentType: string; text: string }>;
}

const REQUEST_SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600];
const QUERY_SECONDS = [0.0001, 0.001, 0.005, 0.02, 0.1, 0.5, 2];

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: 'berth_http_request_duration_seconds',
    help: 'Requests by method, route and status',
    labelNames: ['method', 'route', 'status'],
    buckets: REQUEST_SECONDS,
    registers: [registry],
  });
  const received = new Counter({
    name: 'berth_http_received_bytes_total',
    help: 'Bytes that clients sent',
    registers: [registry],
  });
  const sent = new Counter({
    name: 'berth_http_sent_bytes_total',
    help: 'Bytes sent to clients',
    registers: [registry],
  });
  const queries = new Histogram({
    name: 'berth_database_query_duration_seconds',
    help: 'Time of database queries',
    buckets: QUERY_SECONDS,
    registers: [registry],
  });

  return {
    observe(app) {
      const counted = new WeakMap<Socket, { read: number; written: number }>();
      app.addHook('onResponse', (request, reply, done) => {
        requests.observe(
          { method: request.method, route: request.routeOptions.url ?? 'unknown', status: reply.statusCode },
          reply.elapsedTime / 1000,
        );
        // The counters of a socket include the earlier requests of a keep-alive connection.
        const { socket } = request.raw;
        const { bytesRead, bytesWritten } = socket;
        const before = counted.get(socket);
        received.inc(bytesRead - (before?.read ?? 0));
        sent.inc(bytesWritten - (before?.written ?? 0));
        if (before) Object.assign(before, { read: bytesRead, written: bytesWritten });
        else counted.set(socket, { read: bytesRead, written: bytesWritten });
        done();
      });
    },
    onQuery(seconds) {
      queries.observe(seconds);
    },
    gauge(name, help, read) {
      // If the value cannot be read, for example because the database is unavailable, render the other metrics: they
      // are needed most then.
      new Gauge({
        name,
        help,
        registers: [registry],
        async collect() {
          await read().then(
            (value) => this.set(value),
            () => this.remove(),
          );
        },
      });
    },
    render: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}

/** Serves the metrics at /metrics. */
export function registerMetricsRoute(
  app: FastifyInstance,
  metrics: Metrics,
  isPublic: (headers: Record<string, string | string[] | undefined>) => boolean,
): void {
  app.get('/metrics', { schema: { hide: true } }, async (request, reply) => {
    if (isPublic(request.headers)) return reply.callNotFound();
    const { contentType, text } = await metrics.render();
    return reply.header('cache-control', 'no-store').type(contentType).send(text);
  });
}
