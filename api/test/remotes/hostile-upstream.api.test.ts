// A run against a hostile registry ends with an error, and the next run can start.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { someInThisRun } from '../support/combinations.ts';
import { eventually } from '../support/eventually.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { ATTACKS, startHostileUpstream, type Attack, type HostileUpstream } from '../upstream/hostile-upstream.ts';
import { addRemote, bytesOf, resultOf, syncWhenIdle, type RemoteClient } from './pair.ts';

/** Four attempts of a second each, with back-off in between. */
const RUN_TIMEOUT_MS = 30_000;
const IMAGE = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="2" height="2"/>');
/** One attack per phase of a response: head, interim responses, framing, trailers, body. */
const PHASES = ATTACKS.filter(({ name }) =>
  [
    'a head byte by byte',
    'interim responses without an end',
    'a chunk size byte by byte',
    'trailers byte by byte',
    'a body byte by byte',
  ].includes(name),
);

describe('a mirror of a hostile registry', () => {
  let upstream: HostileUpstream;
  let mirror: TestServer;
  let remote: RemoteClient;
  let bytes: Buffer;
  let version = 0;
  let active: { path: RegExp; attack: Attack } | undefined;

  function bodyOf(path: string): Buffer | undefined {
    if (path.endsWith('/artefacts/map/download')) return bytes;
    if (/\/thumbnails\/t\d+\/data$/.test(path)) return IMAGE;
    if (!path.includes('/artefacts?')) return undefined;
    const document = {
      _id: 'map',
      format: 'file',
      category: 'other',
      fileName: 'data.bin',
      size: bytes.length,
      digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
      dataUpdatedAt: new Date(Date.UTC(2026, 0, version)).toISOString(),
      thumbnail: { id: `t${version}`, width: 2, height: 2 },
    };
    return Buffer.from(JSON.stringify({ results: [document], count: 1 }));
  }

  before(async () => {
    upstream = await startHostileUpstream((path) => {
      const body = bodyOf(path);
      return body && { body, attack: active?.path.test(path) ? active.attack : undefined };
    });
    mirror = await startTestServer({ env: { REMOTE_TIMEOUT_SECONDS: '1' } });
    remote = await addRemote(mirror, upstream.url, 'reg_key_of_the_mirror', { selectedPatterns: ['map'] });
  });
  beforeEach(() => {
    bytes = randomBytes(600);
    version++;
  });
  afterEach(() => {
    active = undefined;
  });
  after(async () => {
    await Promise.all([mirror.close(), upstream.close()]);
  });

  const sync = () => syncWhenIdle(remote, RUN_TIMEOUT_MS);

  async function assertMirrors(): Promise<void> {
    active = undefined;
    await eventually(async () => {
      assert.equal((await sync()).lastSyncStatus, 'success');
    }, RUN_TIMEOUT_MS);
    assert.deepEqual(await bytesOf(mirror, 'map'), bytes);
  }

  for (const attack of someInThisRun(PHASES, 2)) {
    test(`ends a run whose list is sent with ${attack.name}, and starts the next one`, async () => {
      active = { path: /\/artefacts\?/, attack };
      const { lastSyncStatus, lastSyncError, lastSyncErrorCode } = await sync();
      assert.equal(lastSyncStatus, 'error', attack.name);
      const slow = attack.code === 'remote_unavailable';
      assert.equal(lastSyncErrorCode, slow ? 'remote_unavailable' : 'remote_answer_invalid');
      assert.match(lastSyncError ?? '', slow ? /cannot be reached|cut short/ : /not valid HTTP/);
      const page = await remote.ask('GET', '/remote-artefacts');
      assert.deepEqual([page.status, ((await page.json()) as { code: string }).code], [502, attack.code]);
      await assertMirrors();
    });

    test(`ends a run whose bytes are sent with ${attack.name}, and starts the next one`, async () => {
      active = { path: /\/download$/, attack };
      const view = await sync();
      // A mirror needs all bytes with the right digest, and does not wait for trailers.
      const expected = attack.name.startsWith('trailers') ? ['success', 'updated'] : ['error', 'failed'];
      assert.deepEqual([view.lastSyncStatus, resultOf(view, 'map').status], expected);
      await assertMirrors();
    });

    test(`mirrors an artefact without its thumbnail, if that is sent with ${attack.name}`, async () => {
      active = { path: /\/thumbnails\//, attack };
      const view = await sync();
      const { status, reason } = resultOf(view, 'map');
      assert.deepEqual([view.lastSyncStatus, status], ['success', 'updated']);
      assert.match(reason ?? '', /thumbnail cannot be used/);
      await assertMirrors();
    });
  }
});
