import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createExpiryNotices, type ExpiryNoticeOptions } from '../../src/api-keys/index.ts';
import { apiKeyRepository } from '../../src/api-keys/repository.ts';
import { createMailer } from '../../src/mail/index.ts';
import { startMailServer } from '../support/mail-server.ts';
import { describeOnBothDatabases } from './api-keys-fixture.ts';

const DAY_MS = 86_400_000;

describeOnBothDatabases('expiry notices', (fixture) => {
  const insert = async (id: string, days: number | undefined) =>
    apiKeyRepository(fixture.database.db).insert(
      {
        _id: id,
        type: 'upload',
        name: `key ${id}`,
        shortId: '0000000a',
        createdAt: new Date().toISOString(),
        ...(days !== undefined && { expiresAt: new Date(Date.now() + days * DAY_MS).toISOString() }),
      },
      `hash of ${id}`,
    );
  const run = (options: Partial<ExpiryNoticeOptions>) =>
    createExpiryNotices({
      database: fixture.database,
      daysBefore: 14,
      publicUrl: 'https://berth.example',
      recipients: () => Promise.resolve(['admin@example.org', 'ops@example.org']),
      ...options,
    })?.run({
      signal: new AbortController().signal,
      interrupted: undefined,
      deaths: 0,
      progress: () => undefined,
      assertHeld: () => Promise.resolve(),
    });

  test('are mailed once per key that expires soon, and again after its expiry changes', async () => {
    const mail = await startMailServer();
    const mailer = createMailer({ url: mail.url, from: 'berth@example.org' });
    try {
      await Promise.all([insert('soon', 13), insert('later', 15), insert('past', -1), insert('never', undefined)]);
      assert.equal(await run({ mailer }), 1);
      assert.deepEqual(
        [mail.mails[0]?.to, mail.mails[0]?.subject],
        [['admin@example.org', 'ops@example.org'], 'An API key expires soon'],
      );
      assert.ok(mail.mails[0]?.text.includes('key soon (0000000a, upload key)'));
      assert.equal(await run({ mailer }), 0);
      await apiKeyRepository(fixture.database.db).rotate('soon', {
        hash: 'new',
        shortId: '0000000b',
        at: new Date().toISOString(),
        previousUntil: new Date().toISOString(),
        expiresAt: new Date(Date.now() + 10 * DAY_MS).toISOString(),
      });
      assert.equal(await run({ mailer }), 1);
      assert.equal(mail.mails.length, 2);
    } finally {
      await mail.stop();
    }
  });

  test('are sent again if they could not be delivered', async () => {
    const mail = await startMailServer();
    const mailer = createMailer({ url: mail.url, from: 'berth@example.org' });
    try {
      await insert('soon', 1);
      mail.full = true;
      await assert.rejects(async () => run({ mailer }));
      mail.full = false;
      assert.equal(await run({ mailer }), 1);
    } finally {
      await mail.stop();
    }
  });

  test('are posted to a webhook as JSON without secrets', async () => {
    const bodies: string[] = [];
    let status = 500;
    const server = createServer((request, response) => {
      let body = '';
      request
        .setEncoding('utf8')
        .on('data', (chunk: string) => {
          body += chunk;
        })
        .on('end', () => {
          bodies.push(body);
          response.writeHead(status).end();
        });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const webhookUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=x`;
    try {
      await insert('soon', 1);
      await assert.rejects(async () => run({ webhookUrl }), /KEY_EXPIRY_WEBHOOK_URL answered 500/);
      status = 204;
      assert.equal(await run({ webhookUrl }), 1);
      const sent = JSON.parse(bodies[1] ?? '') as { event: string; registry: string; key: { _id: string } };
      assert.partialDeepStrictEqual(sent, {
        event: 'api-key.expiring',
        registry: 'https://berth.example',
        key: { _id: 'soon', name: 'key soon' },
      });
      assert.ok(!bodies.join('').includes('hash'));
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test('wait until there is a recipient', async () => {
    const mail = await startMailServer();
    const mailer = createMailer({ url: mail.url, from: 'berth@example.org' });
    try {
      await insert('soon', 1);
      assert.equal(await run({ mailer, recipients: () => Promise.resolve([]) }), 0);
      assert.equal(await run({ mailer }), 1);
    } finally {
      await mail.stop();
    }
  });

  test('have no job without mail and webhook', () => {
    assert.equal(run({}), undefined);
  });
});
