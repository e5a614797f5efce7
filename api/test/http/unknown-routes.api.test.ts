// Requests that miss a route by little learn which one they meant: every route of the API description, with every kind
// of mistake.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';

interface Operation {
  method: string;
  /** `/api/v1/artefacts/{id}`. */
  template: string;
  /** Methods of the same path. */
  methods: string[];
}

const METHODS = ['DELETE', 'GET', 'PATCH', 'POST', 'PUT'];
const ID = '@acme/plain@1';
const BASE = '/registry';

describe('a request that misses a route by little', () => {
  let server: TestServer;
  let operations: Operation[];
  before(async () => {
    server = await startTestServer({ env: { PUBLIC_URL: `https://example.org${BASE}` } });
    const { paths } = (await (await server.api('GET', '/openapi.json')).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    operations = Object.entries(paths).flatMap(([template, operationsOfPath]) => {
      const methods = Object.keys(operationsOfPath).map((method) => method.toUpperCase());
      return methods.filter((it) => METHODS.includes(it)).map((method) => ({ method, template, methods }));
    });
    assert.ok(operations.length > 60, `${operations.length}`);
  });
  after(() => server.close());

  const detailOf = async (method: string, path: string) =>
    (await readProblem(await fetch(`${server.url}${BASE}${path}`, { method }), 404, 'route_not_found')).detail;
  const fill = (template: string, value = 'x') => template.replaceAll(/\{[^}]+\}/g, value);
  const withPrefix = () => operations.filter(({ template }) => template.startsWith('/api/v1/'));

  test('with an ID whose slash is not encoded is told to write it as %2F', async () => {
    const routes = withPrefix().filter(({ template }) => /\{(?!\*)[^}]+\}/.test(template));
    assert.ok(routes.length > 30, `${routes.length}`);
    for (const { method, template } of routes) {
      const [parameter = ''] = /\{[^}]+\}/.exec(template) ?? [];
      const path = fill(template.replace(parameter, ID));
      const meant = fill(template.replace(parameter, ID.replace('/', '%2F')));
      assert.equal(
        await detailOf(method, `${path}?architecture=x64`),
        `There is no route ${method} ${BASE}${path}: an ID is one segment of the path, with each / written as %2F: ` +
          `${BASE}${meant}.`,
      );
      assert.ok((await detailOf(method, path.replace('/api/v1', ''))).endsWith(`%2F: ${BASE}${meant}.`), path);
    }
  });

  test('with another method is told those of the path', async () => {
    // `DELETE /artefacts/groups` is that of an artefact.
    const exists = (method: string, path: string) =>
      operations.some(
        (it) =>
          it.method === method &&
          new RegExp(`^${it.template.replaceAll(/\{\*\}/g, '.+').replaceAll(/\{[^}]+\}/g, '[^/]+')}$`).test(path),
      );
    for (const { template, methods } of operations)
      for (const method of METHODS.filter((it) => !exists(it, fill(template)))) {
        const detail = await detailOf(method, fill(template));
        const [, listed = ''] = /: this path takes ([A-Z, ]+)\.$/.exec(detail) ?? assert.fail(`${method} ${detail}`);
        assert.deepEqual(
          methods.filter((it) => !listed.split(', ').includes(it)),
          [],
          `${method} ${template}`,
        );
        assert.ok(!listed.split(', ').includes(method), detail);
      }
  });

  test('without, with half of or with twice the prefix is told the path', async () => {
    for (const { method, template } of withPrefix()) {
      const path = fill(template);
      const rest = path.slice('/api/v1'.length);
      for (const wrong of ['', '/api', '/v1', '/api/v2', '/api/v1/api/v1', '//api/v1'])
        assert.ok((await detailOf(method, wrong + rest)).endsWith(`: did you mean ${BASE}${path}.`), wrong + rest);
    }
  });

  test('with a slash at the end is told the path without it', async () => {
    for (const { method, template } of withPrefix()) {
      // tus clients have such addresses; that of a file may be of a folder.
      if (template.endsWith('/uploads') || template.endsWith('}') === template.endsWith('{*}')) continue;
      const path = fill(template);
      assert.match(await detailOf(method, `${path}/`), new RegExp(`: did you mean ${BASE}${path}\\.$`));
    }
  });

  test('is answered at bounded length, whatever the path', async () => {
    for (const path of [`/api/v1/${'x'.repeat(8000)}`, `/api/v1/${'x/'.repeat(4000)}`, '/api/v1', '//', '/api/v1/%zz'])
      assert.ok((await (await fetch(`${server.url}${path}`, { method: 'POST' })).text()).length < 1000);
    assert.match(await detailOf('GET', '/api/v1/nonsense'), /: see \/registry\/api-docs for the API\.$/);
  });
});
