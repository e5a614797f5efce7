// A registry that is upgraded renders its documents with more fields. Its mirrors take the fields, and no new bytes.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { query } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, type TestServer } from '../support/test-server.ts';
import { documentOf, resultOf, share, startPair, type Pair } from './pair.ts';

const ID = '@acme/described@1';
const NEW_FIELDS = {
  packageDescription: 'Imports GeoPackages',
  keywords: ['geo'],
  links: { repository: 'https://github.com/acme/described', homepage: 'https://example.org' },
};

interface DocumentRow {
  limited_document: string;
  limited_etag: string;
}

/** Stores the document as a version has rendered it that did not know the fields, and that served it as stored. */
async function forgetFields(server: TestServer): Promise<void> {
  const [row] = await query<DocumentRow>(server, 'select limited_document, limited_etag from artefact_documents');
  const document = JSON.parse(row!.limited_document) as Record<string, unknown>;
  for (const name of Object.keys(NEW_FIELDS)) delete document[name];
  const json = JSON.stringify(document).replaceAll("'", "''");
  await query(
    server,
    `update artefact_documents set limited_document = '${json}', limited_etag = '"old"', versioned_etag = '"old"'`,
  );
}

/** What the next version finds: documents without a version. */
const upgrade = (server: TestServer) => query(server, "update artefact_documents set versioned_etag = ''");

for (const dialect of DIALECTS)
  describe(`a mirror on ${dialect} of a registry that is upgraded`, () => {
    let pair: Pair;
    before(async () => {
      pair = await startPair(dialect);
    });
    after(() => pair.close());

    test('takes the new fields of documents, but no new bytes or dates', async () => {
      const { upstream, mirror, remote } = pair;
      const file = await npmTarball({
        name: '@acme/described',
        manifest: {
          description: NEW_FIELDS.packageDescription,
          keywords: NEW_FIELDS.keywords,
          repository: 'acme/described',
          homepage: NEW_FIELDS.links.homepage,
        },
      });
      assert.equal((await upstream.upload(ID, { file })).status, 201);
      await share(upstream, ID);
      const fieldsOf = async (server: TestServer) => {
        const { packageDescription, keywords, links } = (await documentOf(server, ID)) ?? {};
        return { packageDescription, keywords, links };
      };
      const facts = async () => {
        const { status, headers } = await mirror.api('HEAD', `/artefacts/${encodeURIComponent(ID)}/download`, {
          headers: mirror.internal,
        });
        const { dataUpdatedAt, tarballs } = (await documentOf(mirror, ID)) ?? {};
        return [status, headers.get('etag'), headers.get('last-modified'), dataUpdatedAt, tarballs];
      };
      await forgetFields(upstream);
      await remote.select(ID);
      const unknown = { packageDescription: undefined, keywords: undefined, links: undefined };
      assert.deepEqual(await fieldsOf(mirror), unknown);
      const before = await facts();

      await upgrade(upstream);
      const { status, bytes = 0 } = resultOf(await remote.sync(), ID);
      assert.deepEqual([status, bytes], ['updated', 0]);
      assert.deepEqual(await fieldsOf(mirror), NEW_FIELDS);
      assert.deepEqual(await facts(), before);
      assert.equal(resultOf(await remote.sync(), ID).status, 'unchanged');
    });
  });
