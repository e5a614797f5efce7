import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ROWS } from '../access/route-rows.ts';
import { assertNoLeak, readProblem } from '../support/problems.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';

interface Parameter {
  name: string;
  in: string;
}
interface Operation {
  method: string;
  path: string;
  parameters: Parameter[];
}

/** Texts that a database may reject; sent with both databases. */
const DATABASE_TEXTS = [
  '\0',
  'a\0b',
  "'",
  '; drop table artefacts --',
  'x'.repeat(3000),
  '-1',
  '1e400',
  '99999999999999999999999',
];
const OTHER_TEXTS = [
  '%',
  '\\',
  '"',
  '../../etc/passwd',
  '..',
  '/',
  '__proto__',
  '\ud83d\ude80',
  'é'.repeat(300),
  '\u0001',
];

/** [body, content type] */
const BODIES: [string, string][] = [
  ...[
    '',
    'null',
    '[]',
    '7',
    '"text"',
    '{',
    '{}',
    '{"__proto__":{"isAdmin":true}}',
    `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`,
    '{"constructor":{"prototype":{}}}',
    '\ufeff{}',
    '\0',
  ].map((body): [string, string] => [body, 'application/json']),
  ...['text/plain', 'multipart/form-data; boundary=x', 'application/json; charset=utf-16', ''].map(
    (type): [string, string] => ['{}', type],
  ),
];

/** Routes whose body may be an empty object. */
const MAY_BE_EMPTY = /\/storage\/(?:sweep|scrub)$/;
const isEmpty = (body: string) => /^(\ufeff?\{\})?$/.test(body);

for (const dialect of DIALECTS) {
  describe(`no request on ${dialect} makes the server fail or leak internals:`, () => {
    let server: TestServer;
    let superadmin: Record<string, string>;
    let operations: Operation[];
    const texts = dialect === 'sqlite' ? [...DATABASE_TEXTS, ...OTHER_TEXTS] : DATABASE_TEXTS;

    before(async () => {
      server = await startTestServer({ dialect });
      superadmin = await server.superadmin();
      await server.upload('present', { file: await npmTarball() });
      operations = await readOperations(server);
      assert.ok(operations.length > 40);
    });
    after(async () => {
      const failures = server.logs.filter((line) => (JSON.parse(line) as { level: number }).level >= 50);
      await server.close();
      assert.deepEqual(failures, []);
    });

    const assertPolite = async (response: Response, what: string) => {
      // It has no end.
      if (response.ok && response.headers.get('content-type') === 'text/event-stream') {
        await response.body?.cancel();
        return;
      }
      const text = await response.text();
      assert.ok(response.status < 500, `${what}: ${response.status} ${text}`);
      if (response.status < 400) return;
      assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/, `${what}: ${text}`);
      assertNoLeak(text.replaceAll(/(\.\.)?\/etc\/passwd/g, '').replace('drop table', ''));
    };
    const present = (path: string) => path.replaceAll(/\{[^}]+\}/g, 'present');

    test('odd texts in paths', async () => {
      for (const { method, path } of operations.filter((operation) => operation.path.includes('{'))) {
        for (const text of texts) {
          const url = `${server.url}${path.replaceAll(/\{[^}]+\}/g, encodeURIComponent(text))}`;
          await assertPolite(
            await fetch(url, { method, headers: superadmin }),
            `${method} ${path} ${JSON.stringify(text.slice(0, 30))}`,
          );
        }
      }
    });

    test('odd values in queries', async () => {
      for (const { method, path, parameters } of operations) {
        for (const { name } of parameters.filter((parameter) => parameter.in === 'query')) {
          for (const text of texts)
            await assertPolite(
              await fetch(`${server.url}${present(path)}?${name}=${encodeURIComponent(text)}`, {
                method,
                headers: superadmin,
              }),
              `${method} ${path} ${name}=${text.slice(0, 30)}`,
            );
          await assertPolite(
            await fetch(`${server.url}${present(path)}?${name}=a&${name}=b&${name}[c]=d`, {
              method,
              headers: superadmin,
            }),
            `${method} ${path} ${name} twice`,
          );
        }
      }
    });

    // The following requests never reach the database.
    if (dialect !== 'sqlite') return;

    test('odd bodies', async () => {
      for (const { method, path } of operations.filter(
        (operation) => ['POST', 'PUT', 'PATCH'].includes(operation.method) && !operation.path.includes('/api/auth/'),
      )) {
        for (const [body, type] of BODIES) {
          const headers = { ...superadmin, ...(type !== '' && { 'content-type': type }) };
          const response = await fetch(`${server.url}${present(path)}`, { method, headers, body });
          assert.ok(
            response.status >= 400 || method === 'PATCH' || (MAY_BE_EMPTY.test(path) && isEmpty(body)),
            `${method} ${path} ${type} ${body.slice(0, 30)}: ${response.status}`,
          );
          await assertPolite(response, `${method} ${path} ${type} ${body.slice(0, 30)}`);
        }
      }
    });

    test('an unknown field in any body is rejected by name', async () => {
      for (const { route, path, body } of ROWS.filter((row) => typeof row.body === 'object')) {
        const [method = ''] = route.split(' ');
        const response = await fetch(`${server.url}${path}`, {
          method,
          headers: { ...superadmin, 'content-type': 'application/json' },
          body: JSON.stringify({ ...(body as object), colour: 'red' }),
        });
        const { errors } = await readProblem(response, 400, 'request_invalid');
        assert.match(JSON.stringify(errors), /colour/, route);
      }
    });

    test('odd headers', async () => {
      const headers: Record<string, string>[] = [
        { cookie: 'better-auth.session_token=%00%ff; a=b;;=;' },
        { cookie: 'better-auth.session_token=' },
        { cookie: `better-auth.session_token=${'x'.repeat(4000)}.${'y'.repeat(4000)}` },
        { authorization: 'Bearer' },
        { authorization: 'Bearer a b' },
        { authorization: 'Basic eDp5' },
        { 'x-api-key': '' },
        { 'x-api-key': 'reg_\u00ff' },
        { 'x-secret-key': '' },
        { ...server.internal, 'x-account': '' },
        { ...server.internal, 'x-account': '{"type":"organization","id":"a\\u0000b"}' },
        { ...server.internal, 'x-account': '[]' },
        { ...server.internal, 'x-account': '{"type":"organization","id":7}' },
        { ...server.internal, 'if-none-match': ',,,"' },
        { ...server.internal, 'if-modified-since': '\u00ff' },
        { ...server.internal, range: 'bytes=-' },
        { ...server.internal, range: `bytes=${'0-0,'.repeat(1000)}` },
        { ...server.internal, 'if-range': '\u00ff', 'range': 'bytes=0-0' },
        { 'x-forwarded-for': 'nonsense', 'x-forwarded-host': '\u00ff', 'forwarded': 'host=' },
        { origin: 'null' },
        { origin: '://' },
        { host: 'a b' },
        { 'content-type': 'application/json' },
        { accept: 'image/png' },
      ];
      for (const it of headers) {
        for (const path of ['/artefacts', '/artefacts/present', '/artefacts/present/tarball', '/session']) {
          await assertPolite(
            await server.api('GET', path, { headers: it }),
            `${path} ${JSON.stringify(it).slice(0, 80)}`,
          );
        }
      }
    });

    test('other methods', async () => {
      for (const method of ['PUT', 'OPTIONS', 'TRACE', 'LINK', 'PROPFIND']) {
        const connection = await openConnection(server.url);
        await connection.send(requestHead(method, '/api/v1/artefacts/present', server.internal));
        const { status, body } = await connection.answer();
        assert.ok(status >= 400 && status < 500, method);
        assertNoLeak(body);
        connection.end();
      }
    });
  });
}

async function readOperations(server: TestServer): Promise<Operation[]> {
  const { paths } = (await (await server.api('GET', '/openapi.json')).json()) as {
    paths: Record<string, Record<string, { parameters?: Parameter[] }>>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [] }]) => ({
      method: method.toUpperCase(),
      path,
      parameters,
    })),
  );
}
