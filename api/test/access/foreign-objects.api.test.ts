import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import sharp from 'sharp';
import { createCallers, type Headers } from '../support/callers.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, signInOf, startTestServer, type TestServer } from '../support/test-server.ts';
import { ROWS, type Row } from './route-rows.ts';

/** Marker in the names, titles and bytes of globex and nowhere else. Not in IDs, which the attacker guesses. */
const MARK = 'zebra';
const ID = 'guessed-artefact';
const GLOBEX = { type: 'organization', id: 'globex', name: `${MARK} works` } as const;
const REMOTE = 'https://registry.example.net';
/** Thumbnails are public by design: their IDs are unguessable. */
const PUBLIC_BY_ID = new Set(['/api/v1/thumbnails/{id}/data']);
const OWN = new Set(['a superadmin', 'an internal service', 'an internal service for globex', 'a read key of globex']);

/** IDs of objects of globex, by the collection in the route template. */
type ForeignIds = Record<string, string>;

for (const dialect of DIALECTS) {
  describe(`an object of another account, on ${dialect}`, () => {
    let server: TestServer;
    let callers: Record<string, Headers>;
    let foreign: ForeignIds;
    let initialState: string;
    before(async () => {
      server = await startTestServer({ dialect });
      const all = await createCallers(server);
      callers = {
        ...Object.fromEntries(Object.entries(all).filter(([caller]) => !OWN.has(caller))),
        'a plain member of acme': await server.member('acme', 'member'),
      };
      foreign = await createForeign(server, all['a superadmin'], all['an internal service']);
      initialState = await snapshot(server, foreign);
    });
    after(() => server.close());

    const rows = ROWS.filter(
      ({ route }) =>
        signInOf(dialect) !== 'simple-directory' ||
        !/ \/api\/v1\/(users|organizations|invitations|sessions)(\/|$)/.test(route),
    );
    // Each request once: rows that differ only in the expected answer are the same request.
    const requests = new Map(
      rows
        .filter(({ route }) => !PUBLIC_BY_ID.has(route.split(' ')[1] ?? ''))
        .map((row) => [`${row.route} ${JSON.stringify(row.body)}`, row]),
    );
    for (const [name, row] of requests) {
      test(`is neither revealed nor changed by ${name}`, async () => {
        for (const [caller, headers] of Object.entries(callers)) {
          const { status, text } = await ask(server, row, foreign, headers);
          assert.ok(!text.toLowerCase().includes(MARK), `${caller} received ${text}`);
          if (row.route.includes('{')) assert.ok(status >= 400, `${caller} received ${status}`);
        }
      });
    }

    test('is not found by any search, filter or page of a list', async () => {
      const queries = [
        `q=${MARK}`,
        `q=${ID}`,
        'category=other',
        'format=npm',
        `packageName=${MARK}-package`,
        'includeDeprecated=true&size=1000',
        'sort=name',
        'skip=0&size=1000',
        `group=${MARK}`,
      ];
      for (const [caller, headers] of Object.entries(callers)) {
        for (const query of queries) {
          const response = await server.api('GET', `/artefacts?${query}`, { headers });
          const text = await response.text();
          assert.ok(!text.includes(MARK) && !text.includes(ID), `${caller} found ${text} with ${query}`);
        }
      }
    });

    test('is indistinguishable from one that does not exist, but to services, which see all', async () => {
      for (const [caller, headers] of Object.entries(callers)) {
        if (caller.startsWith('an internal service')) continue;
        for (const rest of [
          '',
          '/tarball',
          '/download',
          '/readme',
          '/files',
          '/files/index.js',
          '/packages',
          '/thumbnail',
        ]) {
          const [known, unknown] = await Promise.all(
            [ID, 'nothing-here'].map(async (id) => {
              const response = await server.api('GET', `/artefacts/${id}${rest}`, { headers });
              return {
                status: response.status,
                problem: { ...((await response.json()) as Record<string, unknown>), requestId: '' },
              };
            }),
          );
          assert.deepEqual(known, unknown, `${caller} ${rest}`);
        }
      }
    });

    test('is unchanged after all requests', async () => {
      assert.equal(await snapshot(server, foreign), initialState);
    });
  });
}

async function createForeign(server: TestServer, superadmin: Headers, internal: Headers): Promise<ForeignIds> {
  const json = async (
    method: string,
    path: string,
    headers: Headers,
    body?: unknown,
  ): Promise<Record<string, string>> => {
    const response = await server.api(method, path, { headers, body });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${text}`);
    return JSON.parse(text) as Record<string, string>;
  };
  const tarball = await npmTarball({
    manifest: { name: `${MARK}-package` },
    files: { 'README.md': `# ${MARK}`, 'index.js': MARK },
  });
  assert.equal((await server.upload(ID, { file: tarball })).status, 201);
  await json('PATCH', `/artefacts/${ID}`, internal, {
    title: { fr: MARK, en: MARK },
    description: { en: MARK },
    group: { en: MARK },
    privateAccess: [GLOBEX],
  });
  const image = new FormData();
  image.set(
    'file',
    new Blob([
      await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } })
        .png()
        .toBuffer(),
    ]),
    'x.png',
  );
  assert.equal(
    (await fetch(`${server.url}/api/v1/artefacts/${ID}/thumbnail`, { method: 'POST', headers: internal, body: image }))
      .status,
    201,
  );
  const upload = await fetch(`${server.url}/api/v1/uploads`, {
    method: 'POST',
    headers: {
      ...internal,
      'tus-resumable': '1.0.0',
      'upload-length': '9',
      'upload-metadata': `id ${btoa('half-done')},format ${btoa('file')},fileName ${btoa(MARK)}`,
    },
  });
  assert.equal(upload.status, 201);
  const { results: grants } = (await json('GET', '/access-grants', superadmin)) as unknown as {
    results: { _id: string; account: { id: string } }[];
  };
  const { _id: keyId = '' } = await json('POST', '/api-keys', superadmin, {
    type: 'read',
    name: `${MARK} key`,
    owner: GLOBEX,
  });
  await json('POST', '/remote-registries', superadmin, {
    url: REMOTE,
    name: `${MARK} remote`,
    apiKey: MARK,
    schedule: null,
  });
  const [user, session] = await createUserAndSession(server, superadmin, json);
  return {
    'artefacts': ID,
    'uploads': upload.headers.get('location')?.split('/').at(-1) ?? '',
    'access-grants': grants.find(({ account }) => account.id === 'globex')?._id ?? '',
    'api-keys': keyId,
    'remote-registries': encodeURIComponent(REMOTE),
    'organizations': 'globex',
    'users': user,
    'sessions': session,
  };
}

/** Creates a user of globex with a session; empty IDs if an identity service manages the users. */
async function createUserAndSession(
  server: TestServer,
  superadmin: Headers,
  json: (method: string, path: string, headers: Headers, body?: unknown) => Promise<Record<string, string>>,
): Promise<[user: string, session: string]> {
  const member = await server.member('globex', 'admin');
  if ((await server.api('GET', '/users', { headers: superadmin })).status === 404) return ['', ''];
  await json('PATCH', '/organizations/globex', superadmin, { name: GLOBEX.name });
  const { user } = (await json('GET', '/session', member)) as unknown as { user: { id: string } };
  await json('PATCH', `/users/${user.id}`, superadmin, { name: `${MARK} boss` });
  const { results } = (await json('GET', '/sessions', member)) as unknown as { results: { id: string }[] };
  return [user.id, results[0]?.id ?? ''];
}

/** Sends the request of a row with the foreign ID in its path. */
async function ask(
  server: TestServer,
  { route, body, tus }: Row,
  foreign: ForeignIds,
  headers: Headers,
): Promise<{ status: number; text: string }> {
  const [method = '', template = ''] = route.split(' ');
  const collection = template.split('/')[3] ?? '';
  const path = template
    .replace('{id}', foreign[collection] || 'nobody')
    .replace('{uploadId}', foreign['uploads'] ?? '')
    .replace('{*}', 'index.js')
    .replace('{architecture}', 'noarch')
    .replace('{userId}', foreign['users'] || 'nobody')
    .replace('{artefactId}', ID)
    .replace(/\{\w+\}/, 'guessed');
  const response = await fetch(`${server.url}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      ...headers,
      ...(typeof body === 'object' && { 'content-type': 'application/json' }),
      ...(tus && { 'tus-resumable': '1.0.0', ...tus }),
    },
    ...(body !== undefined && { body: body === 'form' ? form() : JSON.stringify(body) }),
  });
  if (response.headers.get('content-type') === 'text/event-stream') {
    await response.body?.cancel();
    return { status: response.status, text: '' };
  }
  return { status: response.status, text: `${JSON.stringify([...response.headers])} ${await response.text()}` };
}

function form(): FormData {
  const data = new FormData();
  data.set('file', new Blob(['x']), 'x');
  return data;
}

/** Returns the foreign objects as a superadmin sees them. */
async function snapshot(server: TestServer, foreign: ForeignIds): Promise<string> {
  const headers = await server.superadmin();
  const paths = [
    `/artefacts/${ID}`,
    `/artefacts/${ID}/files`,
    `/remote-registries/${foreign['remote-registries']}`,
    ...(foreign['users'] ? [`/users/${foreign['users']}`] : []),
  ];
  const texts = await Promise.all(paths.map(async (path) => (await server.api('GET', path, { headers })).text()));
  const { results } = (await (await server.api('GET', '/api-keys?type=read', { headers })).json()) as {
    results: { _id: string }[];
  };
  const { status } = await fetch(`${server.url}/api/v1/uploads/${foreign['uploads']}`, {
    method: 'HEAD',
    headers: { ...server.internal, 'tus-resumable': '1.0.0' },
  });
  return JSON.stringify([texts, results.find(({ _id }) => _id === foreign['api-keys']), status]);
}
