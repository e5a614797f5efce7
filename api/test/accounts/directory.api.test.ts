import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { generateKeyPair } from 'jose';
import { startTestDirectory, toHeaders, type TestDirectory } from '../support/directory.ts';
import { assertNoLeak } from '../support/problems.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';

const UMA = {
  id: 'uma',
  name: 'Uma',
  email: 'uma@acme.example',
  organizations: [
    { id: 'acme', name: 'Acme', role: 'admin' },
    { id: 'acme', name: 'Acme', role: 'user', department: 'sea', departmentName: 'The sea' },
    { id: 'initech', name: 'Initech', role: 'user' },
  ],
};
const ROOT = { id: 'root', name: 'Root', email: 'root@example.org', isAdmin: true };

for (const dialect of DIALECTS) {
  describe(`users of the identity service, on ${dialect}`, () => {
    let directory: TestDirectory;
    let server: TestServer;
    before(async () => {
      directory = await startTestDirectory();
      server = await startTestServer({
        dialect,
        signIn: 'local',
        env: {
          AUTH_MODE: 'simple-directory',
          DIRECTORY_URL: 'https://example.org/directory',
          PRIVATE_DIRECTORY_URL: `${directory.url}/`,
        },
      });
    });
    after(async () => {
      await server.close();
      await directory.stop();
    });

    const ask = async (method: string, path: string, headers: Record<string, string>, body?: unknown) => {
      const response = await server.api(method, path, { headers, body });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>,
        text,
      };
    };
    const session = async (headers: Record<string, string>) => (await ask('GET', '/session', headers)).body;

    test('sign in there, as GET /sign-in says', async () => {
      assert.deepEqual((await ask('GET', '/sign-in', {})).body, {
        mode: 'simple-directory',
        url: 'https://example.org/directory',
      });
      assert.equal((await fetch(`${server.url}/api/auth/sign-in/email`, { method: 'POST' })).status, 404);
      assert.equal(server.server.firstSuperadmin, undefined);
    });

    test('are searched there, with the cookie of the superadmin', async () => {
      const root = await directory.cookies({ ...ROOT, adminMode: true });
      await directory.cookies(UMA);
      assert.deepEqual((await ask('GET', '/accounts?q=acm', root)).body, {
        results: [{ type: 'organization', id: 'acme', name: 'Acme', departments: [{ id: 'sea', name: 'The sea' }] }],
      });
      assert.deepEqual((await ask('GET', '/accounts?q=uma', root)).body, {
        results: [{ type: 'user', id: 'uma', name: 'Uma' }],
      });
      directory.away = true;
      assert.equal((await ask('GET', '/accounts?q=uma', root)).body['code'], 'directory_unavailable');
      directory.away = false;
      assert.equal((await ask('GET', '/accounts?q=uma', await directory.cookies(UMA))).body['code'], 'forbidden');
    });

    test('act alone unless the cookies name one of their memberships', async () => {
      const alone = { type: 'user', id: 'uma', name: 'Uma' };
      assert.deepEqual(await session(await directory.cookies(UMA)), {
        kind: 'user',
        user: { id: 'uma', name: 'Uma', email: 'uma@acme.example' },
        account: alone,
        accountRole: 'admin',
        accounts: [
          { ...alone, role: 'admin' },
          { type: 'organization', id: 'acme', name: 'Acme', role: 'admin' },
          {
            type: 'organization',
            id: 'acme',
            name: 'Acme',
            department: 'sea',
            departmentName: 'The sea',
            role: 'member',
          },
          { type: 'organization', id: 'initech', name: 'Initech', role: 'member' },
        ],
        isAdmin: false,
        hasGrant: false,
      });
      const accountOf = async (membership: object) => {
        const { account, accountRole } = await session(await directory.cookies(UMA, membership));
        return [account, accountRole];
      };
      const acme = { type: 'organization', id: 'acme', name: 'Acme' };
      assert.deepEqual(await accountOf({ org: 'acme' }), [acme, 'admin']);
      assert.deepEqual(await accountOf({ org: 'acme', dep: '', role: 'admin' }), [acme, 'admin']);
      assert.deepEqual(await accountOf({ org: 'acme', dep: 'sea' }), [{ ...acme, department: 'sea' }, 'member']);
      for (const foreign of [
        { org: 'globex' },
        { org: 'acme', dep: 'geo' },
        { org: 'initech', role: 'admin' },
        { org: 'initech', dep: 'sea' },
        { dep: 'sea' },
      ]) {
        assert.deepEqual(await accountOf(foreign), [alone, 'admin'], JSON.stringify(foreign));
      }
    });

    test('use the language that they chose there', async () => {
      assert.equal((await session(await directory.cookies(UMA, { lang: 'fr' })))['language'], 'fr');
      assert.equal((await session(await directory.cookies(UMA, { lang: '<b>' })))['language'], undefined);
    });

    test('switch accounts through the same cookies as there', async () => {
      const headers = await directory.cookies(UMA);
      const chosen = await ask('PUT', '/session/account', headers, {
        type: 'organization',
        id: 'acme',
        department: 'sea',
      });
      assert.deepEqual(
        [chosen.status, chosen.body['account']],
        [200, { type: 'organization', id: 'acme', name: 'Acme', department: 'sea' }],
      );
      const cookies = chosen.headers.getSetCookie();
      assert.deepEqual(cookies, [
        'id_token_org=acme; Path=/; SameSite=Lax',
        'id_token_dep=sea; Path=/; SameSite=Lax',
        'id_token_role=user; Path=/; SameSite=Lax',
      ]);
      const next = { cookie: [headers.cookie, ...cookies.map((cookie) => cookie.split(';', 1)[0])].join('; ') };
      assert.deepEqual(await session(next), chosen.body);
      const back = await ask('PUT', '/session/account', next, { type: 'user', id: 'uma' });
      assert.ok(back.headers.getSetCookie().every((cookie) => cookie.includes('Max-Age=0')));
      const refused = await ask('PUT', '/session/account', headers, { type: 'organization', id: 'globex' });
      assert.deepEqual([refused.status, refused.body['code']], [403, 'account_not_allowed']);
    });

    test('see what is shared with their account, and download once it has a grant', async () => {
      await server.upload('sea-charts', { format: 'file', file: Buffer.from('charts') });
      await server.api('PATCH', '/artefacts/sea-charts', {
        headers: server.internal,
        body: { privateAccess: [{ type: 'organization', id: 'acme', department: 'sea' }] },
      });
      const statusFor = async (membership: object) =>
        (await ask('GET', '/artefacts/sea-charts', await directory.cookies(UMA, membership))).status;
      assert.deepEqual(
        [await statusFor({ org: 'acme', dep: 'sea' }), await statusFor({ org: 'acme' }), await statusFor({})],
        [200, 404, 404],
      );
      const download = async () => {
        const response = await server.api('GET', '/artefacts/sea-charts/download', {
          headers: await directory.cookies(UMA, { org: 'acme', dep: 'sea' }),
        });
        await response.arrayBuffer();
        return response.status;
      };
      assert.equal(await download(), 403);
      await server.api('POST', '/access-grants', {
        headers: server.internal,
        body: { account: { type: 'organization', id: 'acme' } },
      });
      assert.equal(await download(), 200);
    });

    test('are superadmins only while admin mode is on', async () => {
      const status = async (user: object) =>
        (await ask('GET', '/access-grants', await directory.cookies({ ...ROOT, ...user }))).status;
      assert.deepEqual(
        [await status({}), await status({ adminMode: true }), await status({ isAdmin: false, adminMode: true })],
        [403, 200, 403],
      );
    });

    test('are managed there, not here', async () => {
      const root = await directory.cookies({ ...ROOT, adminMode: true });
      for (const [method, path] of [
        ['GET', '/users'],
        ['POST', '/users'],
        ['GET', '/organizations/acme'],
        ['PUT', '/organizations/acme/members/uma'],
      ] as const) {
        const { status, body } = await ask(method, path, root, method === 'GET' ? undefined : {});
        assert.deepEqual([status, body['code']], [404, 'accounts_in_directory'], `${method} ${path}`);
        assert.ok((body['detail'] as string).includes('https://example.org/directory'));
      }
    });

    for (const impersonation of [{ pseudoSession: true }, { asAdmin: { id: 'root', name: 'Root' } }])
      test(`are read-only while impersonated, as ${Object.keys(impersonation)[0]} says`, async () => {
        const headers = await directory.cookies(
          { ...UMA, ...impersonation, isAdmin: true, adminMode: true },
          { org: 'acme' },
        );
        assert.equal((await ask('GET', '/artefacts/sea-charts', headers)).status, 200);
        assert.equal((await session(headers))['isReadOnly'], true);
        for (const [method, path, body] of [
          ['PATCH', '/artefacts/sea-charts', { public: true }],
          ['POST', '/api-keys', { type: 'upload', name: 'x' }],
          ['PUT', '/session/account', { type: 'user', id: 'uma' }],
        ] as const) {
          const refused = await ask(method, path, headers, body);
          assert.deepEqual([refused.status, refused.body['code']], [403, 'session_read_only'], path);
        }
      });

    test('cannot be impersonated with a token that the directory did not issue', async () => {
      const { privateKey } = await generateKeyPair('RS256');
      const good = await directory.sign(UMA);
      const [header = '', payload = '', signature = ''] = good.split('.');
      const forged = Buffer.from(
        JSON.stringify({
          ...(JSON.parse(Buffer.from(payload, 'base64url').toString()) as object),
          isAdmin: true,
          adminMode: true,
        }),
      ).toString('base64url');
      const unsigned = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url');
      const tokens = {
        'another key under the same name': await directory.sign(UMA, { key: privateKey }),
        'an unknown key': await directory.sign(UMA, { key: privateKey, kid: 'unknown' }),
        'another payload': `${header}.${forged}.${signature}`,
        'no signature': `${unsigned}.${forged}.`,
        'a truncated signature': good.slice(0, -6),
        'not a token': 'what.is.this',
        'no id': await directory.sign({ id: '' }),
      };
      for (const [what, token] of Object.entries(tokens)) {
        const { status, body, text } = await ask('GET', '/session', toHeaders(token));
        assert.deepEqual([status, body['code']], [401, 'session_invalid'], what);
        assertNoLeak(text);
      }
      const unsignedHalf = await ask('GET', '/session', { cookie: `id_token=${header}.${payload}` });
      assert.deepEqual([unsignedHalf.status, unsignedHalf.body['code']], [401, 'session_invalid']);
    });

    test('are anonymous without a token or with an expired one', async () => {
      assert.equal((await session(toHeaders(await directory.sign(UMA, { expiresIn: -60 }))))['kind'], 'anonymous');
      assert.equal((await session({ cookie: 'id_token_org=acme; i18n_lang=fr' }))['kind'], 'anonymous');
    });

    test('cannot change state from a page of another origin', async () => {
      const headers = {
        ...(await directory.cookies({ ...ROOT, adminMode: true })),
        origin: 'https://elsewhere.example',
      };
      const { status, body } = await ask('PATCH', '/artefacts/sea-charts', headers, { public: true });
      assert.deepEqual([status, body['code']], [403, 'cross_origin']);
    });

    test('appear under their names in records', async () => {
      const root = await directory.cookies({ ...ROOT, adminMode: true });
      await ask('POST', '/access-grants', root, { account: { type: 'organization', id: 'audited' } });
      const { body } = await ask('GET', '/access-grants', root);
      const grant = (body['results'] as { account: { id: string }; grantedBy: object }[]).find(
        ({ account }) => account.id === 'audited',
      );
      assert.deepEqual(grant?.grantedBy, { userId: 'root', userName: 'Root' });
    });
  });
}

test('a start without DIRECTORY_URL is refused', async () => {
  await assert.rejects(startTestServer({ env: { AUTH_MODE: 'simple-directory' } }), {
    name: 'ConfigError',
    message: /AUTH_MODE.* requires DIRECTORY_URL/,
  });
});
