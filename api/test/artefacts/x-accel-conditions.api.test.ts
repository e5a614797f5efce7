// Range, If-Range and conditional headers of downloads that nginx sends: it must evaluate them as Berth does.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { patchArtefact, uploadArtefact } from './documents.ts';
import { bytesOf, FILE, FILE_NAME, X64 } from './download-samples.ts';
import { artefactHeaders, digestOf, startNginxDownloads, type NginxDownloads } from './nginx-downloads.ts';

for (const basePath of ['', '/registry']) {
  describe(`a partial or conditional download that nginx sends at ${basePath || 'the root of a host'}`, () => {
    let downloads: NginxDownloads;
    before(async () => {
      downloads = await startNginxDownloads(basePath);
      for (const [id, form] of [
        ['@acme/native@1', { file: X64, fields: { architecture: 'x64' } }],
        ['maps/france', { format: 'file', file: FILE, fields: { fileName: FILE_NAME } }],
      ] as const) {
        await uploadArtefact(downloads.server, id, form);
        await patchArtefact(downloads.server, id, { public: true });
      }
    });
    after(async () => {
      assert.equal(await downloads.close(), '');
    });

    for (const [range, start, end] of [
      ['bytes=0-0', 0, 0],
      ['bytes=0-', 0, 299_999],
      ['bytes=299999-', 299_999, 299_999],
      ['bytes=-1', 299_999, 299_999],
      ['bytes=100-199', 100, 199],
      ['bytes=100000-999999999', 100_000, 299_999],
      ['bytes=-999999', 0, 299_999],
    ] as const) {
      test(`sends ${range} as Berth does`, async () => {
        const [sent, direct] = [
          await downloads.get('maps/france', '/download', { range }),
          await downloads.getDirectly('maps/france', '/download', { range }),
        ];
        assert.equal(sent.status, 206);
        assert.deepEqual(await bytesOf(sent), FILE.subarray(start, end + 1));
        // nginx omits Accept-Ranges, which RFC 9110 (15.3.7) does not require with 206.
        const expected = Object.entries(artefactHeaders(direct)).filter(([name]) => name !== 'accept-ranges');
        assert.deepEqual(artefactHeaders(sent), Object.fromEntries(expected));
        await direct.arrayBuffer();
      });
    }

    test('sends the whole file for several ranges, or an invalid one', async () => {
      for (const range of ['bytes=0-1,5-6', 'items=0-1', 'bytes=5-1', 'nonsense', 'bytes = 5-1']) {
        const response = await downloads.get('maps/france', '/download', { range });
        assert.deepEqual([response.status, response.headers.get('content-range')], [200, null], range);
        assert.deepEqual(await bytesOf(response), FILE);
      }
    });

    test('is rejected by Berth, with the size, for a range beyond the end', async () => {
      const response = await downloads.get('maps/france', '/download', { range: 'bytes=300000-' });
      assert.equal(response.headers.get('content-range'), 'bytes */300000');
      await readProblem(response, 416, 'range_not_satisfiable');
    });

    test('resumes only if the entity tag or date of If-Range matches', async () => {
      const { headers } = await downloads.get('maps/france', '/download', {}, 'HEAD');
      for (const ifRange of [headers.get('etag') ?? '', headers.get('last-modified') ?? '']) {
        const response = await downloads.get('maps/france', '/download', {
          'range': 'bytes=5-9',
          'if-range': ifRange,
        });
        assert.equal(response.status, 206, ifRange);
        assert.deepEqual(await bytesOf(response), FILE.subarray(5, 10));
      }
      for (const ifRange of ['"other"', `W/${headers.get('etag')}`, 'Sun, 06 Nov 1994 08:49:37 GMT']) {
        const response = await downloads.get('maps/france', '/download', {
          'range': 'bytes=5-9',
          'if-range': ifRange,
        });
        assert.equal(response.status, 200, ifRange);
        assert.deepEqual(await bytesOf(response), FILE);
      }
    });

    test('is not sent again if it is unchanged, by the entity tag and date of the artefact', async () => {
      const whole = await downloads.getDirectly('@acme/native@1', '/download', {}, 'HEAD');
      const [etag, lastModified] = [whole.headers.get('etag') ?? '', whole.headers.get('last-modified') ?? ''];
      for (const headers of [
        { 'if-none-match': etag },
        { 'if-modified-since': lastModified },
        { 'if-none-match': etag, 'range': 'bytes=0-4' },
      ]) {
        const [sent, direct] = [
          await downloads.get('@acme/native@1', '/download', { ...headers }),
          await downloads.getDirectly('@acme/native@1', '/download', { ...headers }),
        ];
        assert.equal(sent.status, 304);
        assert.deepEqual(artefactHeaders(sent), artefactHeaders(direct));
      }
      const later = new Date(Date.parse(lastModified) + 86_400_000).toUTCString();
      const earlier = new Date(Date.parse(lastModified) - 1000).toUTCString();
      for (const headers of [
        { 'if-none-match': '"other"' },
        { 'if-modified-since': earlier },
        { 'if-none-match': '"other"', 'if-modified-since': later },
      ]) {
        const response = await downloads.get('@acme/native@1', '/download', { ...headers });
        assert.equal(response.status, 200, JSON.stringify(headers));
        assert.deepEqual(await bytesOf(response), X64);
      }
    });

    test('ignores conditions that only nginx evaluates', async () => {
      for (const headers of [
        { 'if-match': `"${digestOf(FILE)}"` },
        { 'if-match': '"other"' },
        { 'if-unmodified-since': 'Sun, 06 Nov 1994 08:49:37 GMT' },
      ]) {
        const response = await downloads.get('maps/france', '/download', { ...headers });
        assert.equal(response.status, 200);
        assert.deepEqual(await bytesOf(response), FILE);
      }
    });
  });
}
