import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { artefactPath, listArtefacts, patchArtefact, readDocument } from '../artefacts/documents.ts';
import { readProblem } from '../support/problems.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS } from '../support/test-server.ts';
import { startPair, type Pair } from './pair.ts';

/** Characters that take four bytes in UTF-8, and twelve as escapes in JSON. */
const SHIP = '\u{1f6a2}';
const LONGEST = 20_000;
const both = (text: string) => ({ fr: text, en: text });
const escaped = (value: unknown) =>
  JSON.stringify(value).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

for (const dialect of DIALECTS) {
  describe(`a description of 20,000 characters on ${dialect}`, () => {
    let pair: Pair;
    before(async () => {
      pair = await startPair(dialect);
      for (const id of ['ships', 'words']) await pair.upstream.upload(id, { file: await npmTarball({ name: id }) });
    });
    after(() => pair.close());

    test('is set in both languages with everything else, escaped or not, and mirrored', async () => {
      const privateAccess = Array.from({ length: 100 }, (_unused, index) => ({
        type: 'organization',
        id: `${index}`.repeat(50),
        name: SHIP.repeat(100),
      }));
      const patch = {
        title: both(SHIP.repeat(2000)),
        group: both(SHIP.repeat(500)),
        description: both(SHIP.repeat(LONGEST)),
        documentation: `https://acme.example/${'x'.repeat(1900)}`,
        public: true,
        privateAccess,
      };
      for (const server of [pair.upstream, pair.mirror]) {
        if (server === pair.mirror) await server.upload('ships', { file: await npmTarball({ name: 'ships' }) });
        for (const body of [JSON.stringify(patch), escaped(patch)]) {
          const headers = { ...server.internal, 'content-type': 'application/json' };
          const response = await server.api('PATCH', '/artefacts/ships', { headers, body });
          assert.equal(response.status, 200, (await response.text()).slice(0, 500));
          const { description, title } = await readDocument(server, 'ships');
          assert.deepEqual([description, title], [patch.description, patch.title]);
        }
      }
      await pair.mirror.api('DELETE', '/artefacts/ships', { headers: pair.mirror.internal });
      await pair.remote.select('ships');
      const { description, origin } = await readDocument(pair.mirror, 'ships');
      assert.deepEqual([description, origin], [patch.description, pair.upstream.url]);
    });

    test('is the longest, in each language', async () => {
      for (const language of ['fr', 'en'])
        await readProblem(
          await pair.upstream.api('PATCH', artefactPath('words'), {
            headers: pair.upstream.internal,
            body: { description: { [language]: SHIP.repeat(LONGEST + 1) } },
          }),
          400,
          'request_invalid',
        );
    });

    test('is searched in its first 4,000 characters, of each language', async () => {
      const text = (word: string, late: string) => `${'x '.repeat(1990)} ${word} ${'y '.repeat(5000)} ${late}`;
      const description = { fr: text('tôt', 'tard'), en: text('early', 'late') };
      await patchArtefact(pair.upstream, 'words', { description });
      const found = async (q: string) => (await listArtefacts(pair.upstream, `?q=${q}`)).results.map(({ _id }) => _id);
      for (const [q, expected] of Object.entries({ tot: ['words'], early: ['words'], tard: [], late: [] }))
        assert.deepEqual(await found(q), expected, q);
      assert.deepEqual((await readDocument(pair.upstream, 'words')).description, description);
    });
  });
}
