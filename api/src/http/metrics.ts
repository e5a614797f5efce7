// Prometheus metrics of one process (https://prometheus.io/docs/practices/naming/).

import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface GaugeDefinition {
  help: string;
  /** Names of the labels. */
  labels?: readonly string[];
}

/** The value; with labels, one for each combination of their values. */
export type GaugeValue = number | undefined | { labels: Record<string, string>; value: number }[];

export interface Metrics {
  /** Counts and times the requests of an app. */
  observe(app: FastifyInstance): void;
  /** Records how long a query took. */
  onQuery: (seconds: number) => void;
  /** Registers a gauge whose value is read each time the metrics are rendered; a failing one is left out. */
  gauge(name: string, help: string, read: () => Promise<number>): void;
  /**
   * Registers gauges that are read together: when the metrics are rendered, but at most once in `maxAgeMs`. Those
   * whose reading fails or takes too long are left out.
   */
  gauges<Name extends string>(
    definitions: Record<Name, GaugeDefinition>,
    read: () => Promise<Record<Name, GaugeValue>>,
    maxAgeMs?: number,
  ): void;
  /** Renders all metrics as Prometheus text. */
  render(): Promise<{ contentType: string; text: string }>;
}

const REQUEST_SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600];
/** Below the usual 10 s of a scrape: what hangs must not take the other metrics along. Above that of a check. */
const READ_TIMEOUT_MS = 4_000;
const QUERY_SECONDS = [0.0001, 0.001, 0.005, 0.02, 0.1, 0.5, 2];

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Totals of the gauges beside them, under names of counters.
  for (const what of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${what}_total`);
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
  const aborted = new Counter({
    name: 'berth_http_aborted_requests_total',
    help: 'Requests whose connection closed before the answer was complete, by what it was doing',
    labelNames: ['during'],
    registers: [registry],
  });
  for (const during of ['upload', 'wait', 'download']) aborted.inc({ during }, 0);
  const queries = new Histogram({
    name: 'berth_database_query_duration_seconds',
    help: 'Time of database queries',
    buckets: QUERY_SECONDS,
    registers: [registry],
  });

  return {
    observe(app) {
      this.gauges(
        {
          berth_http_requests_in_progress: { help: 'Requests whose answer is not complete' },
          berth_http_uploads_in_progress: { help: 'Requests whose body is arriving' },
        },
        () =>
          Promise.resolve({
            berth_http_requests_in_progress: app.requestsInProgress(),
            berth_http_uploads_in_progress: app.uploadsInProgress(),
          }),
      );
      app.onRequestEnd(({ request, status, durationMs, bytesIn, bytesOut, abortedDuring }) => {
        const route = request.routeOptions.url ?? 'unknown';
        requests.observe({ method: request.method, route, status }, durationMs / 1000);
        received.inc(bytesIn);
        sent.inc(bytesOut);
        if (abortedDuring) aborted.inc({ during: abortedDuring });
      });
    },
    onQuery(seconds) {
      queries.observe(seconds);
    },
    gauge(name, help, read) {
      this.gauges({ [name]: { help } }, async () => ({ [name]: await read() }));
    },
    gauges<Name extends string>(
      definitions: Record<Name, GaugeDefinition>,
      read: () => Promise<Record<Name, GaugeValue>>,
      maxAgeMs = 0,
    ) {
      const readCached = cached(read, maxAgeMs);
      for (const [name, { help, labels = [] }] of Object.entries<GaugeDefinition>(definitions))
        new Gauge({
          name,
          help,
          labelNames: labels,
          registers: [registry],
          async collect() {
            // If it cannot be read, for example because the database is unavailable, render the other metrics: they
            // are needed most then.
            const value: GaugeValue = (await readCached().catch(() => undefined))?.[name as Name];
            this.reset();
            if (typeof value === 'object') for (const one of value) this.set(one.labels, one.value);
            else if (value === undefined) this.remove();
            else this.set(value);
          },
        });
    },
    render: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}

/** Calls `read` again once it has ended and its result is older than `maxAgeMs`. Rejects after READ_TIMEOUT_MS. */
function cached<T>(read: () => Promise<T>, maxAgeMs: number): () => Promise<T> {
  let current: Promise<T> | undefined;
  return async () => {
    if (!current) {
      const forget = () => {
        current = undefined;
      };
      current = read();
      current.then(maxAgeMs === 0 ? forget : () => setTimeout(forget, maxAgeMs).unref(), forget);
    }
    let timer: NodeJS.Timeout | undefined;
    const timedOut = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error('too slow'));
      }, READ_TIMEOUT_MS);
    });
    return Promise.race([current, timedOut]).finally(() => {
      clearTimeout(timer);
    });
  };
}

/** Serves the metrics at /metrics. */
export function registerMetricsRoute(
  app: FastifyInstance,
  metrics: Metrics,
  isPublic: (headers: Record<string, string | string[] | undefined>) => boolean,
): void {
  app.get('/metrics', { schema: { hide: true }, logLevel: 'warn' }, async (request, reply) => {
    if (isPublic(request.headers)) return reply.callNotFound();
    const { contentType, text } = await metrics.render();
    return reply.header('cache-control', 'no-store').type(contentType).send(text);
  });
}
