import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { after, before, beforeEach, describe, test } from 'node:test';
import { sql } from 'kysely';
import { createPasswordResets } from '../../src/accounts/auth/password-resets.ts';
import { createStrangerEvents } from '../../src/accounts/auth/stranger-events.ts';
import { createMailer, type Mailer } from '../../src/mail/index.ts';
import { eventually } from '../support/eventually.ts';
import { startMailServer, type TestMailServer } from '../support/mail-server.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';
import { auditOf, createAccountsApp, createUser, type AccountsApp } from './accounts-app.ts';

const KNOWN = 'uma@example.org';
const UNKNOWN = 'nobody@example.org';
const MAILS_PER_HOUR = 5;
const REQUEST = { ip: '192.0.2.1', requestId: 'x', log: { warn: assert.fail } };
const FROM = 'Berth <berth@example.org>';

let address = 0;
async function ask({ app }: AccountsApp, email: string, remoteAddress = `10.2.${address >> 8}.${address++ & 255}`) {
  const response = await app.inject({
    method: 'POST',
    url: '/api/auth/request-password-reset',
    remoteAddress,
    payload: { email },
  });
  const { 'x-request-id': _id, 'date': _date, 'retry-after': retryAfter, ...headers } = response.headers;
  const { requestId: _requestId, ...body } = response.json<Record<string, unknown>>();
  return { status: response.statusCode, body, headers, retryAfter: Number(retryAfter) };
}

for (const dialect of DIALECTS) {
  describe(`requests for a password reset link, on ${dialect},`, () => {
    let it: AccountsApp;
    let mail: TestMailServer;
    before(async () => {
      mail = await startMailServer();
      it = await createAccountsApp(dialect, { mailer: createMailer({ url: mail.url, from: FROM }) });
      await createUser(await it.admin(), KNOWN);
    });
    after(async () => {
      await it.close();
      await mail.stop();
    });
    beforeEach(async () => {
      await it.accounts.close();
      mail.mails.length = 0;
      for (const table of ['failed_attempts', 'audit_events'] as const)
        await it.database.db.deleteFrom(table).execute();
    });

    test('get the same answer whether a user has the address or not', async () => {
      const answers = [await ask(it, KNOWN), await ask(it, UNKNOWN), await ask(it, ` ${KNOWN.toUpperCase()}\t`)];
      for (const answer of answers) assert.deepEqual(answer, answers[0]);
      assert.equal(answers[0]?.status, 200);
      await it.accounts.close();
      assert.deepEqual(
        mail.mails.map(({ to }) => to),
        [[KNOWN], [KNOWN]],
      );
      assert.deepEqual(
        (await auditOf(it.database)).map(({ action, target_id, outcome }) => [action, target_id, outcome]).sort(),
        [UNKNOWN, KNOWN, KNOWN].map((email) => ['user.request-password-reset', email, 'success']),
      );
    });

    test('are limited by mailbox, whoever asks and whether a user has the address or not', async () => {
      for (const [email, tagged] of [
        [KNOWN, 'uma+shop@example.org'],
        [UNKNOWN, 'nobody+1@example.org'],
      ] as const) {
        for (let request = 1; request < MAILS_PER_HOUR; request++) assert.equal((await ask(it, email)).status, 200);
        assert.equal((await ask(it, tagged)).status, 200);
        for (const spelling of [email, ` ${email.toUpperCase()}`, tagged]) {
          const { status, body, retryAfter } = await ask(it, spelling);
          assert.deepEqual([status, body['code']], [429, 'too_many_attempts'], spelling);
          assert.match(String(body['detail']), /mails to this address: try again in \d+ minutes/);
          assert.ok(retryAfter > 3500 && retryAfter <= 3600, `${retryAfter}`);
        }
      }
      await it.accounts.close();
      assert.equal(mail.mails.length, MAILS_PER_HOUR - 1);
      assert.equal((await ask(it, 'other@example.org')).status, 200);
    });

    test('are refused if they name no address', async () => {
      for (const email of ['', 'uma', 'uma@', '@example.org', 'uma@example.org, ben@example.org', 'uma\0@example.org'])
        assert.deepEqual((await ask(it, email)).body['code'], 'email_invalid', email);
    });

    test('can be made at a dotless domain, like that of the first superadmin', async () => {
      assert.equal((await ask(it, 'admin@localhost')).status, 200);
      await eventually(() => Promise.resolve(assert.deepEqual(mail.mails[0]?.to, ['admin@localhost'])));
    });

    test('are answered before the user is looked up', async () => {
      let queries = 0;
      const { database, close } = await openTestDatabase(dialect, { onQuery: () => queries++ });
      const sent: string[][] = [];
      const waiting: (() => void)[] = [];
      const mailer: Mailer = { send: ({ to }) => Promise.resolve(void sent.push(to)) };
      const resets = createPasswordResets({
        database,
        publicUrl: 'http://localhost',
        mailer,
        strangers: createStrangerEvents({ database }),
        createToken: (userId) => Promise.resolve(`token of ${userId}`),
        requestsPerMinute: 1000,
        onError: (error) => assert.fail(String(error)),
      });
      try {
        const now = dialect === 'postgres' ? new Date() : new Date().toISOString();
        await database.db
          .insertInto('user')
          .values({ id: 'uma', name: 'Uma', email: KNOWN, emailVerified: 0, createdAt: now, updatedAt: now })
          .execute();
        const queriesFor = async (email: string) => {
          queries = 0;
          await resets.request(email, { ...REQUEST, later: (work) => waiting.push(work) });
          return queries;
        };
        await queriesFor('first@example.org');
        assert.equal(await queriesFor(KNOWN), await queriesFor(UNKNOWN));
        await resets.close();
        assert.deepEqual([waiting.length, sent], [3, []]);
        for (const work of waiting) work();
        await resets.close();
        assert.deepEqual(sent, [[KNOWN]]);
      } finally {
        await close();
      }
    });
  });

  test(`a mail server that does not answer delays no answer, on ${dialect}`, async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    const errors: unknown[] = [];
    const it = await createAccountsApp(dialect, {
      mailer: createMailer({ url: `smtp://127.0.0.1:${port}`, from: FROM }),
      onError: (error) => errors.push(error),
    });
    try {
      await createUser(await it.admin(), KNOWN);
      const answers = [await ask(it, KNOWN), await ask(it, UNKNOWN)];
      assert.equal(answers[0]?.status, 200);
      assert.deepEqual(answers[0], answers[1]);
      await eventually(() => Promise.resolve(assert.equal(sockets.length, 1)));
      for (const socket of sockets) socket.destroy();
      await it.accounts.close();
      assert.equal(errors.length, 1);
    } finally {
      for (const socket of sockets) socket.destroy();
      silent.close();
      await it.close();
    }
  });
}

test('a table of users that is locked delays no answer, on postgres', async () => {
  const mail = await startMailServer();
  const it = await createAccountsApp('postgres', { mailer: createMailer({ url: mail.url, from: FROM }) });
  try {
    await createUser(await it.admin(), KNOWN);
    const [locked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const holding = it.database.transaction(async (tx) => {
      await sql`lock table "user", "verification" in access exclusive mode`.execute(tx);
      locked.resolve();
      await answered.promise;
    });
    await locked.promise;
    const answers = [await ask(it, KNOWN), await ask(it, UNKNOWN)];
    assert.equal(answers[0]?.status, 200);
    assert.deepEqual(answers[0], answers[1]);
    assert.equal(mail.mails.length, 0);
    answered.resolve();
    await holding;
    await it.accounts.close();
    assert.deepEqual(
      mail.mails.map(({ to }) => to),
      [[KNOWN]],
    );
  } finally {
    await it.close();
    await mail.stop();
  }
});

for (const dialect of DIALECTS)
  test(`the requests of one client are limited, whatever they ask for, on ${dialect}`, async () => {
    const mail = await startMailServer();
    const it = await createAccountsApp(dialect, {
      mailer: createMailer({ url: mail.url, from: FROM }),
      signInsPerMinute: 3,
    });
    try {
      const statuses = [];
      for (const email of [KNOWN, UNKNOWN, 'a@example.org', 'b@example.org', KNOWN])
        statuses.push((await ask(it, email, '2001:db8:1:2::1')).status);
      assert.deepEqual(statuses, [200, 200, 200, 429, 429]);
      assert.equal((await ask(it, KNOWN, '2001:db8:1:2:ffff::9')).status, 429);
      assert.equal((await ask(it, KNOWN, '2001:db8:1:3::1')).status, 200);
    } finally {
      await it.close();
      await mail.stop();
    }
  });
