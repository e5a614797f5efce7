// A mirror, its original, and a proxy between them that can inject failures.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe } from 'node:test';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { addRemote, share, type RemoteClient } from './pair.ts';
import { startTroubledProxy, type TroubledProxy } from './troubled-proxy.ts';

/** Its fields are set before the first test. */
export interface TroubledMirror {
  upstream: TestServer;
  mirror: TestServer;
  proxy: TroubledProxy;
  remote: RemoteClient;
}

/** Defines a suite for each database of this run; before each test the proxy is reset to forward everything. */
export function describeTroubledMirror(what: string, define: (it: TroubledMirror) => void): void {
  for (const dialect of DIALECTS) {
    describe(`a mirror on ${dialect} ${what}`, () => {
      const it = {} as TroubledMirror;
      before(async () => {
        it.upstream = await startTestServer();
        it.mirror = await startTestServer({ dialect, env: { REMOTE_TIMEOUT_SECONDS: '1' } });
        it.proxy = await startTroubledProxy(it.upstream.url);
        const key = await it.upstream.readKey({ type: 'organization', id: 'mirrors' });
        it.remote = await addRemote(it.mirror, it.proxy.url, key);
      });
      after(async () => {
        await Promise.all([it.mirror.close(), it.proxy.close(), it.upstream.close()]);
      });
      beforeEach(() => {
        Object.assign(it.proxy, { trouble: undefined, cutAfterBytes: undefined, passedBytes: 0, requests: [] });
      });
      define(it);
    });
  }
}

/** Publishes a public file artefact at the original. */
export async function publishFile({ upstream }: TroubledMirror, id: string, file: Buffer): Promise<void> {
  assert.equal((await upstream.upload(id, { format: 'file', file, fileName: 'data.bin' })).status, 201);
  await share(upstream, id);
}
