import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createCallers, type Headers } from '../support/callers.ts';
import { assertNoLeak } from '../support/problems.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, signInOf, startTestServer, type TestServer } from '../support/test-server.ts';
import { COLUMNS, REFUSALS, ROWS, type Column, type Row } from './route-rows.ts';

const ACME = { type: 'organization', id: 'acme' };
const HOOLI = { type: 'organization', id: 'hooli' } as const;

interface Description {
  paths: Record<string, Record<string, unknown>>;
}

for (const dialect of DIALECTS) {
  describe(`access to every route, on ${dialect}`, () => {
    let server: TestServer;
    let callers: Record<Column, Headers>;
    // The identity service manages users itself, so these routes do not exist.
    const rows = ROWS.filter(
      ({ route }) =>
        signInOf(dialect) !== 'simple-directory' ||
        !/ \/api\/v1\/(users|organizations|invitations|sessions)(\/|$)/.test(route),
    );

    before(async () => {
      server = await startTestServer({ dialect });
      callers = await createColumns(server);
      for (const id of ['public', 'shared', 'private'])
        await server.upload(id, { file: await npmTarball({ files: { 'README.md': '# Hello', 'index.js': '' } }) });
      for (const [id, body] of [
        ['public', { public: true }],
        ['shared', { privateAccess: [ACME] }],
      ] as const)
        await server.api('PATCH', `/artefacts/${id}`, { headers: server.internal, body });
    });
    after(() => server.close());

    for (const row of rows) {
      const words = row.cells.split(' ');
      const body = row.body ? ` ${JSON.stringify(row.body)}` : '';
      test(`${row.route.split(' ')[0]} ${row.path}${body}: ${words.join(' ')}`, async () => {
        assert.equal(words.length, COLUMNS.length);
        for (const [index, column] of COLUMNS.entries()) {
          const answer = await ask(server, row, callers[column]);
          assert.equal(answer, expected(row, words[index] ?? ''), column);
        }
      });
    }

    test('the rows and the OpenAPI document have the same routes', async () => {
      const { paths } = (await (await server.api('GET', '/openapi.json')).json()) as Description;
      const routes = Object.entries(paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
      );
      // Sign-in routes are better-auth's and have no caller; accounts/ tests them.
      const ours = routes.filter((route) => !route.includes(' /api/auth/'));
      assert.deepEqual([...new Set(rows.map(({ route }) => route))].sort(), ours.sort());
    });

    test('undocumented routes answer every caller', async () => {
      for (const column of COLUMNS) {
        for (const path of [
          '/api/v1/openapi.json',
          '/api/ping',
          '/api/health/live',
          '/api/health/ready',
          '/metrics',
          '/api-docs',
        ]) {
          assert.equal(
            (await fetch(`${server.url}${path}`, { headers: callers[column] })).status,
            200,
            `${path} for ${column}`,
          );
        }
      }
    });

    test('paths that the contract excludes are not routes', async () => {
      for (const path of [
        '/api/v1/artefacts/public/versions',
        '/api/v1/artefacts/public/versions/1.0.0',
        '/api/v1/artefacts/public/branch/main',
        '/api/v1/artefacts/branch/x',
        '/api/v1/nothing',
        '/api/auth/sign-up/email',
      ]) {
        for (const method of ['GET', 'POST']) {
          const response = await fetch(`${server.url}${path}`, { method, headers: callers['a superadmin'] });
          assert.deepEqual(
            [response.status, ((await response.json()) as { code: string }).code],
            [404, 'route_not_found'],
            path,
          );
        }
      }
    });
  });
}

/** Sends the request; returns the status, with the code of a problem. */
async function ask(server: TestServer, { route, path, body, tus }: Row, headers: Headers): Promise<string> {
  const method = route.split(' ')[0] ?? '';
  const response = await fetch(`${server.url}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      ...headers,
      ...(typeof body === 'object' && { 'content-type': 'application/json' }),
      ...(tus && { 'tus-resumable': '1.0.0', ...tus }),
    },
    ...(body !== undefined && { body: body === 'form' ? emptyForm() : JSON.stringify(body) }),
  });
  if (response.headers.get('content-type') === 'text/event-stream') {
    await response.body?.cancel();
    return `${response.status}`;
  }
  const text = await response.text();
  if (response.status < 400 || method === 'HEAD') return `${response.status}`;
  assertNoLeak(text);
  return `${response.status} ${(JSON.parse(text) as { code: string }).code}`;
}

function expected({ route, ok }: Row, word: string): string {
  const answer =
    word === 'ok' ? ok : word in REFUSALS ? REFUSALS[word as keyof typeof REFUSALS] : word.replace(':', ' ');
  return route.startsWith('HEAD ') ? (answer.split(' ')[0] ?? '') : answer;
}

/** Contains a field, because fetch does not send an empty form as multipart. */
function emptyForm(): FormData {
  const form = new FormData();
  form.set('colour', 'red');
  return form;
}

async function createColumns(server: TestServer): Promise<Record<Column, Headers>> {
  const callers = await createCallers(server);
  return {
    'anonymous': callers['anonymous'],
    'an internal service': callers['an internal service'],
    'an internal service for acme': callers['an internal service for acme'],
    'an upload key': callers['an upload key'],
    'a read key of acme': callers['a read key of acme'],
    'a read key whose grant was taken back': await createKeyWithoutGrant(server),
    'a plain member of acme': await server.member('acme', 'member'),
    'an admin of acme': callers['a member of acme'],
    'an admin of initech': callers['a member of initech'],
    'a superadmin': callers['a superadmin'],
  };
}

async function createKeyWithoutGrant(server: TestServer): Promise<Headers> {
  const key = await server.readKey(HOOLI);
  const headers = await server.superadmin();
  const { results } = (await (await server.api('GET', '/access-grants?size=1000', { headers })).json()) as {
    results: { _id: string; account: { id: string } }[];
  };
  const grant = results.find(({ account }) => account.id === HOOLI.id);
  assert.equal((await server.api('DELETE', `/access-grants/${grant?._id}`, { headers })).status, 204);
  return { 'x-api-key': key };
}
