// Empty values of every query parameter, and all kinds of `skip` and `size`, on every route that has them.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { npmTarball } from '../support/tarball-builder.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';

interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  schema: { minimum?: number; maximum?: number; default?: number };
}
interface Operation {
  route: string;
  path: string;
  parameters: Parameter[];
}

/** A value, and one that means the same; undefined: as absent. */
const PAGES: [parameter: 'skip' | 'size', value: string, same: string | undefined][] = [
  ['skip', '-1', '0'],
  ['skip', 'abc', undefined],
  ['skip', '%20', undefined],
  ['skip', '1.9', '1'],
  ['skip', '99999999999999999999999', String(Number.MAX_SAFE_INTEGER)],
  ['size', '-5', '0'],
  ['size', 'abc', undefined],
  ['size', 'NaN', undefined],
  ['size', '1.9', '1'],
  ['size', '5000', '1000'],
  ['size', 'Infinity', '1000'],
  ['size', '99999999999999999999999', '1000'],
];
/** Values of parameters that a route requires. */
const REQUIRED: Record<string, string> = { category: 'other', locale: 'en' };
/** Never the same twice: dates, identifiers of requests. */
const VOLATILE = /"(requestId|at|lastSeenAt|lastUsedAt)":"[^"]*"/g;

describe('a query', () => {
  let server: TestServer;
  let headers: Record<string, string>;
  let operations: Operation[];
  before(async () => {
    server = await startTestServer();
    headers = await server.superadmin();
    for (const id of ['artefact', 'b', 'c'])
      await server.upload(id, { file: await npmTarball({ files: { 'README.md': '# Hello' } }) });
    await server.readKey({ type: 'organization', id: 'acme' });
    await server.uploadKey();
    operations = await readOperations(server);
    assert.ok(operations.length > 15);
  });
  after(() => server.close());

  async function ask({ path, parameters }: Operation, query: string): Promise<string> {
    const required = parameters
      .filter((it) => it.required && !query.includes(`${it.name}=`))
      .map((it) => `${it.name}=${REQUIRED[it.name]}`);
    const response = await fetch(`${server.url}${path}?${[...required, query].filter(Boolean).join('&')}`, {
      headers,
    });
    if (response.headers.get('content-type') === 'text/event-stream') {
      await response.body?.cancel();
      return `${response.status} stream`;
    }
    return `${response.status} ${(await response.text()).replaceAll(VOLATILE, '')}`;
  }

  test('with an empty value is answered as without it', async () => {
    for (const operation of operations) {
      const optional = operation.parameters.filter(({ required }) => !required);
      const expected = await ask(operation, '');
      assert.match(expected, /^(200|302|404|400 .*"(not_a_tarball|readme_not_found))/, operation.route);
      for (const query of [
        ...optional.flatMap(({ name }) => [`${name}=`, `${name}=&${name}=`]),
        optional.map(({ name }) => `${name}=`).join('&'),
      ])
        assert.equal(await ask(operation, query), expected, `${operation.route}?${query}`);
      for (const { name } of operation.parameters.filter(({ required }) => required))
        assert.match(await ask(operation, `${name}=`), /^400 .*"request_invalid"/, `${operation.route}?${name}=`);
    }
  });

  test('for a page is brought into its range; what is no number counts as absent', async () => {
    const lists = operations.filter(({ parameters }) => parameters.some(({ name }) => name === 'size'));
    assert.ok(lists.length >= 8);
    for (const operation of lists) {
      const size = operation.parameters.find(({ name }) => name === 'size');
      assert.deepEqual([size?.schema.minimum, size?.schema.maximum], [0, 1000], operation.route);
      assert.equal(await ask(operation, `size=${size?.schema.default}`), await ask(operation, ''), operation.route);
      const own = PAGES.filter(([parameter]) => operation.parameters.some(({ name }) => name === parameter));
      for (const [parameter, value, same] of own)
        assert.equal(
          await ask(operation, `${parameter}=${value}`),
          await ask(operation, same === undefined ? '' : `${parameter}=${same}`),
          `${operation.route}?${parameter}=${value}`,
        );
    }
  });
});

async function readOperations(server: TestServer): Promise<Operation[]> {
  const { paths } = (await (await server.api('GET', '/openapi.json')).json()) as {
    paths: Record<string, { get?: { parameters?: Parameter[] } }>;
  };
  return Object.entries(paths).flatMap(([path, { get }]) => {
    const parameters = (get?.parameters ?? []).filter((parameter) => parameter.in === 'query');
    return parameters.length === 0 ? [] : [{ route: path, path: path.replace('{id}', 'artefact'), parameters }];
  });
}
