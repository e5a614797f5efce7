// Writing routes of artefacts, uploads, storage, trusted publishers and remote registries.

import assert from 'node:assert/strict';
import { githubJob } from '../support/pipeline.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { makeRaster } from '../thumbnails/images.ts';
import type { Person } from './meanwhile-app.ts';
import {
  asRoot,
  create,
  fresh,
  NEEDS_ONLY_SESSION,
  ROOT,
  row,
  UPLOADERS,
  type Prepared,
  type WriteRow,
} from './meanwhile-row.ts';

const FILE = Buffer.from('ten bytes!');
const TARBALL = await npmTarball({ name: 'p' });
const IMAGE = await makeRaster({ width: 8, height: 8 });
const TUS = { 'tus-resumable': '1.0.0' };

async function artefact({ app }: Prepared): Promise<string> {
  const id = fresh();
  assert.equal((await app.upload(id, { file: TARBALL })).status, 201);
  return `/artefacts/${id}`;
}

function form(file: Buffer): FormData {
  const data = new FormData();
  data.set('file', new Blob([new Uint8Array(file)]), 'it');
  return data;
}

/** Starts a resumable upload of FILE and returns its path. */
async function upload({ app }: Prepared, { headers }: Person): Promise<string> {
  const response = await fetch(`${app.url}/api/v1/uploads`, {
    method: 'POST',
    headers: {
      ...headers,
      ...TUS,
      'upload-length': `${FILE.length}`,
      'upload-metadata': `id ${btoa(fresh())},format ZmlsZQ==`,
    },
  });
  assert.equal(response.status, 201, await response.text());
  return `/${response.headers.get('location') ?? ''}`;
}

const publisher = ({ provider }: Prepared) => ({
  name: 'CI',
  provider: 'github',
  issuer: provider.issuer,
  repository: 'acme/import-gpkg',
  workflow: 'publish.yml',
  environment: 'production',
});

async function remote(it: Prepared): Promise<string> {
  const { _id: id = '' } = await asRoot(it, 'POST', '/remote-registries', remoteBody());
  return `/remote-registries/${encodeURIComponent(id)}`;
}
const remoteBody = () => ({ url: `http://127.0.0.1:9/${fresh()}`, name: 'Remote', apiKey: 'key', schedule: null });

export const CONTENT_ROWS: WriteRow[] = [
  row(
    'POST /upload-tokens',
    ROOT,
    async (it) => {
      await asRoot(it, 'POST', '/trusted-publishers', publisher(it));
      return {
        path: '/upload-tokens',
        body: { token: await it.provider.sign(githubJob(it.provider, it.audience)) },
      };
    },
    NEEDS_ONLY_SESSION,
  ),

  row('POST /trusted-publishers', ROOT, async (it) => ({ path: '/trusted-publishers', body: publisher(it) })),
  row('DELETE /trusted-publishers/{id}', ROOT, async (it) => ({
    path: `/trusted-publishers/${(await asRoot(it, 'POST', '/trusted-publishers', publisher(it)))['_id']}`,
  })),

  row('PATCH /artefacts/{id}', ROOT, async (it) => ({ path: await artefact(it), body: { public: true } })),
  row('DELETE /artefacts/{id}', ROOT, async (it) => ({ path: await artefact(it) })),
  row('DELETE /artefacts/{id}/tarballs/{architecture}', ROOT, async (it) => ({
    path: `${await artefact(it)}/tarballs/noarch`,
  })),
  row('POST /artefacts/npm/{id}', UPLOADERS, async () => ({ path: `/artefacts/npm/${fresh()}`, body: form(TARBALL) })),
  row('POST /artefacts/file/{id}', UPLOADERS, async () => ({ path: `/artefacts/file/${fresh()}`, body: form(FILE) })),
  row('POST /artefacts/{id}/thumbnail', ROOT, async (it) => ({
    path: `${await artefact(it)}/thumbnail`,
    body: form(IMAGE),
  })),
  row('DELETE /artefacts/{id}/thumbnail', ROOT, async (it) => {
    const path = `${await artefact(it)}/thumbnail`;
    const { status } = await fetch(`${it.app.url}/api/v1${path}`, {
      method: 'POST',
      headers: it.app.internal,
      body: form(IMAGE),
    });
    assert.equal(status, 201);
    return { path };
  }),

  row('POST /uploads', UPLOADERS, async () => ({
    path: '/uploads',
    headers: { ...TUS, 'upload-length': '1', 'upload-metadata': `id ${btoa(fresh())},format ZmlsZQ==` },
  })),
  row(
    'PATCH /uploads/{uploadId}',
    UPLOADERS,
    async (it, person) => ({
      path: await upload(it, person),
      body: FILE,
      headers: { ...TUS, 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' },
    }),
    { discards: true },
  ),
  row('POST /uploads/{uploadId}', UPLOADERS, async (it, person) => ({
    path: await upload(it, person),
    headers: { ...TUS, 'x-http-method-override': 'DELETE' },
  })),
  row('DELETE /uploads/{uploadId}', UPLOADERS, async (it, person) => ({
    path: await upload(it, person),
    headers: TUS,
  })),

  row('POST /storage/sweep', ROOT, async () => ({ path: '/storage/sweep', body: {} })),
  row('POST /storage/scrub', ROOT, async () => ({ path: '/storage/scrub' })),

  create('POST /remote-registries', ROOT, remoteBody),
  row('PATCH /remote-registries/{id}', ROOT, async (it) => ({ path: await remote(it), body: { name: 'Renamed' } })),
  row('DELETE /remote-registries/{id}', ROOT, async (it) => ({ path: await remote(it) })),
  row('POST /remote-registries/{id}/selected-artefacts', ROOT, async (it) => ({
    path: `${await remote(it)}/selected-artefacts`,
    body: { artefactId: 'x' },
  })),
  row('DELETE /remote-registries/{id}/selected-artefacts/{artefactId}', ROOT, async (it) => {
    const path = `${await remote(it)}/selected-artefacts`;
    await asRoot(it, 'POST', path, { artefactId: 'x' });
    return { path: `${path}/x` };
  }),
  row('POST /remote-registries/{id}/sync', ROOT, async (it) => ({ path: `${await remote(it)}/sync` })),
];
