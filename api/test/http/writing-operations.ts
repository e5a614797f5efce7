import type { TestClient } from '../support/test-client.ts';

/** A route that writes, as the API description lists it. */
export interface WritingOperation {
  /** `POST /api/v1/api-keys`. */
  route: string;
  method: string;
  /** With the given text in place of each parameter. */
  path: string;
  /** Media types of its body. */
  types: string[];
}

const WRITING = ['post', 'put', 'patch', 'delete'];

/** Reads all routes that write from the API description. @param parameter value of each path parameter */
export async function readWritingOperations(
  server: Pick<TestClient, 'api'>,
  parameter: string,
): Promise<WritingOperation[]> {
  const { paths } = (await (await server.api('GET', '/openapi.json')).json()) as {
    paths: Record<string, Record<string, { requestBody?: { content?: Record<string, unknown> } }>>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => WRITING.includes(method))
      .map(([method, { requestBody }]) => ({
        route: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path: path.replaceAll(/\{[^}]+\}/g, parameter),
        types: Object.keys(requestBody?.content ?? {}),
      })),
  );
}
