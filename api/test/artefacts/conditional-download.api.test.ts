// Downloads with Range, If-Range and conditional headers (RFC 9110, 13 and 14).

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { artefactPath, uploadArtefact } from './documents.ts';
import { bytesOf, FILE, headersOf, NOARCH, sha256, uploadSamples, X64 } from './download-samples.ts';

for (const dialect of DIALECTS) {
  describe(`partial and conditional downloads on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect });
      await uploadSamples(server);
    });
    after(() => server.close());

    const get = (id: string, rest: string, headers: Record<string, string> = {}, method = 'GET') =>
      server.api(method, artefactPath(id, rest), { headers: { ...server.internal, ...headers } });

    for (const [range, start, end] of [
      ['bytes=0-0', 0, 0],
      ['bytes=0-', 0, 299_999],
      ['bytes=299999-', 299_999, 299_999],
      ['bytes=-1', 299_999, 299_999],
      ['bytes=100-199', 100, 199],
      ['bytes=100000-999999999', 100_000, 299_999],
      ['bytes=-999999', 0, 299_999],
    ] as const) {
      test(`${range} sends that range`, async () => {
        const response = await get('maps/france', '/download', { range });
        assert.equal(response.status, 206);
        assert.deepEqual(await bytesOf(response), FILE.subarray(start, end + 1));
        assert.deepEqual(
          headersOf(response, 'content-range', 'content-length', 'etag', 'repr-digest', 'accept-ranges'),
          {
            'content-range': `bytes ${start}-${end}/300000`,
            'content-length': String(end - start + 1),
            'etag': `"sha256:${sha256(FILE).toString('hex')}"`,
            'repr-digest': `sha-256=:${sha256(FILE).toString('base64')}:`,
            'accept-ranges': 'bytes',
          },
        );
      });
    }

    test('a range of a tarball has the tarball headers too', async () => {
      const response = await get('@acme/both@1', '/tarball?architecture=x64', { range: 'bytes=10-19' });
      assert.equal(response.status, 206);
      assert.deepEqual(await bytesOf(response), X64.subarray(10, 20));
      assert.deepEqual(
        headersOf(response, 'x-artefact-architecture', 'x-artefact-version', 'x-artefact-has-native-modules'),
        { 'x-artefact-architecture': 'x64', 'x-artefact-version': '2.0.0', 'x-artefact-has-native-modules': 'true' },
      );
    });

    test('a range beyond the end is rejected with the size', async () => {
      for (const [id, range, size] of [
        ['maps/france', 'bytes=300000-', 300_000],
        ['maps/france', 'bytes=-0', 300_000],
        ['maps/empty', 'bytes=0-', 0],
      ] as const) {
        const response = await get(id, '/download', { range });
        assert.equal(response.headers.get('content-range'), `bytes */${size}`);
        await readProblem(response, 416, 'range_not_satisfiable');
      }
    });

    test('several ranges, or an invalid one, send the whole file', async () => {
      for (const range of ['bytes=0-1,5-6', 'items=0-1', 'bytes=5-1', 'nonsense']) {
        const response = await get('maps/france', '/download', { range });
        assert.equal(response.status, 200, range);
        assert.equal((await bytesOf(response)).length, FILE.length);
      }
    });

    test('If-Range resumes only if the entity tag or date matches', async () => {
      const { headers } = await get('maps/france', '/download', {}, 'HEAD');
      const [etag, lastModified] = [headers.get('etag') ?? '', headers.get('last-modified') ?? ''];
      for (const ifRange of [etag, lastModified])
        assert.equal(
          (await get('maps/france', '/download', { 'range': 'bytes=5-9', 'if-range': ifRange })).status,
          206,
        );
      for (const ifRange of ['"other"', `W/${etag}`, 'Sun, 06 Nov 1994 08:49:37 GMT']) {
        const response = await get('maps/france', '/download', { 'range': 'bytes=5-9', 'if-range': ifRange });
        assert.equal(response.status, 200);
        assert.deepEqual(await bytesOf(response), FILE);
      }
    });

    test('an unchanged download is not sent again, but the headers are', async () => {
      const whole = await get('@acme/both@1', '/tarball?architecture=x64', {}, 'HEAD');
      const [etag, lastModified] = [whole.headers.get('etag') ?? '', whole.headers.get('last-modified') ?? ''];
      const later = new Date(Date.parse(lastModified) + 1000).toUTCString();
      for (const headers of [
        { 'if-none-match': etag },
        { 'if-none-match': `W/${etag}` },
        { 'if-none-match': '*' },
        { 'if-modified-since': lastModified },
        { 'if-modified-since': later },
        { 'if-none-match': etag, 'range': 'bytes=0-4' },
      ]) {
        for (const method of ['GET', 'HEAD']) {
          const response = await get('@acme/both@1', '/tarball?architecture=x64', { ...headers }, method);
          assert.equal(response.status, 304, JSON.stringify(headers));
          const names = [
            'etag',
            'last-modified',
            'cache-control',
            'x-artefact-architecture',
            'x-artefact-version',
            'x-artefact-has-native-modules',
            'repr-digest',
          ];
          assert.deepEqual(headersOf(response, ...names), headersOf(whole, ...names));
          assert.equal((await bytesOf(response)).length, 0);
        }
      }
      const earlier = new Date(Date.parse(lastModified) - 1000).toUTCString();
      for (const headers of [
        { 'if-none-match': '"other"' },
        { 'if-modified-since': earlier },
        { 'if-none-match': '"other"', 'if-modified-since': later },
      ]) {
        assert.equal(
          (await get('@acme/both@1', '/tarball?architecture=x64', { ...headers })).status,
          200,
          JSON.stringify(headers),
        );
      }
    });

    test('Last-Modified advances by whole seconds with every upload, even within one second', async () => {
      const dates: number[] = [];
      for (let index = 0; index < 4; index++) {
        await uploadArtefact(server, 'dated', { file: index % 2 === 0 ? NOARCH : X64 });
        const before = dates.at(-1);
        const since = before === undefined ? {} : { 'if-modified-since': new Date(before).toUTCString() };
        const response = await get('dated', '/tarball', since);
        assert.equal(response.status, 200);
        dates.push(Date.parse(response.headers.get('last-modified') ?? ''));
        await bytesOf(response);
      }
      dates.forEach((date, index) => {
        assert.ok(index === 0 || date >= dates[index - 1]! + 1000, String(dates));
      });
    });
  });
}
