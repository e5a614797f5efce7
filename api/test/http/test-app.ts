// Starts the HTTP server with a test's routes on a free port.

import type { TestContext } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { createHttpServer, type HttpServerOptions } from '../../src/http/index.ts';

export interface TestApp {
  app: FastifyInstance;
  url: string;
  logs: LogLine[];
}
export type LogLine = Record<string, unknown>;

export interface TestAppOptions extends Partial<HttpServerOptions> {
  routes?: (app: FastifyInstance) => void;
}

/** Closed automatically at the end of the test. */
export async function startTestApp(t: TestContext, { routes, ...options }: TestAppOptions = {}): Promise<TestApp> {
  const logs: LogLine[] = [];
  const logStream = { write: (line: string) => void logs.push(JSON.parse(line) as LogLine) };
  const app = createHttpServer({
    basePath: '',
    trustedProxies: ['loopback'],
    logLevel: 'info',
    logStream,
    ...options,
  });
  routes?.(app);
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  t.after(async () => {
    const closed = app.close();
    app.server.closeAllConnections();
    await closed;
  });
  return { app, url, logs };
}
