// Uppy as it is published, with its default settings, in a browser.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { promisify } from 'node:util';
import { build } from 'vite';
import { startRegistry, type Registry } from './support/registry.ts';
import { DESKTOP, journey, withBrowser } from './support/visitor.ts';

interface Upload {
  endpoint: string;
  /** Of all files, as a program sets it. */
  meta: Record<string, string>;
  bytes: number[];
}

declare global {
  interface Window {
    /** Uploads a file, and returns the messages of its errors. */
    uploadWithUppy: (upload: Upload) => Promise<string[]>;
  }
}

const PROGRAM = `
  import Uppy from '@uppy/core';
  import Tus from '@uppy/tus';

  window.uploadWithUppy = async ({ endpoint, meta, bytes }) => {
    const uppy = new Uppy({ meta });
    uppy.use(Tus, { endpoint });
    uppy.addFile({
      name: 'été "1".pmtiles',
      type: 'application/vnd.pmtiles',
      data: new Blob([new Uint8Array(bytes)]),
      meta: { caption: 'Seen from above', license: 'ODbL' },
    });
    const { successful, failed } = await uppy.upload();
    return [...failed.map(({ error }) => error), ...(successful.length === 1 ? [] : ['nothing was uploaded'])];
  };`;
const VERSIONS = ['@uppy/core@6.3.1', '@uppy/tus@6.0.0'];
const BYTES = randomBytes(30_000);

describe('Uppy', () => {
  let registry: Registry;
  let folder: string;
  let script: string;
  withBrowser();
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-uppy-'));
    registry = await startRegistry();
    script = await bundleProgram(folder);
  });
  after(async () => {
    await registry.close();
    await rm(folder, { recursive: true });
  });

  journey(
    'uploads with its default settings, at an address with or without a slash at its end',
    () => registry,
    async ({ page, open }) => {
      await open('api-docs/');
      await page.evaluate(script);
      for (const [id, slash] of [
        ['@acme/with', '/'],
        ['@acme/without', ''],
      ] as const) {
        const upload = {
          endpoint: `${registry.pages}api/v1/uploads${slash}`,
          meta: { id, format: 'file', category: 'tileset' },
          bytes: [...BYTES],
        };
        assert.deepEqual(await page.evaluate((given) => window.uploadWithUppy(given), upload), []);
        const path = `/artefacts/${encodeURIComponent(id)}`;
        const headers = registry.internal;
        const document = (await (await registry.api('GET', path, { headers })).json()) as Record<string, unknown>;
        assert.deepEqual([document['fileName'], document['category']], ['été "1".pmtiles', 'tileset']);
        const download = await registry.api('GET', `${path}/download?redirect=false`, { headers });
        assert.ok(BYTES.equals(Buffer.from(await download.arrayBuffer())));
      }
    },
    { as: 'superadmin', variants: [DESKTOP] },
  );
});

/** Installs Uppy into a folder and bundles it with the program; returns the script. */
async function bundleProgram(root: string): Promise<string> {
  await writeFile(join(root, 'package.json'), '{"private":true,"type":"module"}');
  const words = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', ...VERSIONS];
  await promisify(execFile)('npm', words, { cwd: root });
  const entry = join(root, 'program.js');
  await writeFile(entry, PROGRAM);
  const result = await build({
    root,
    configFile: false,
    logLevel: 'error',
    build: { write: false, minify: false, lib: { entry, formats: ['iife'], name: 'program' } },
  });
  const [output] = [result].flat();
  assert.ok(output && 'output' in output);
  return output.output[0].code;
}
