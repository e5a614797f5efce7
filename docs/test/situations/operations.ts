// A full disk, parts that are away, backups, damage.

import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startServerProcess } from '../../../api/test/support/server-process.ts';
import { envOf, type TestServer } from '../../../api/test/support/test-server.ts';
import type { Situations, Stage } from './stage.ts';

const SECRET = 'x'.repeat(32);
const SETTINGS = {
  SECRET_INTERNAL_SERVICES: SECRET,
  API_KEYS_SALT: SECRET,
  CIPHER_PASSWORD: SECRET,
  AUTH_SECRET: SECRET,
  LOG_LEVEL: 'silent',
};
const LIMIT_KIB = 8 * 1024;

/** Runs an operation on the data of a registry. */
function operate(stage: Stage, registry: TestServer, ...words: string[]): Promise<string> {
  return stage.berth(words, { env: envOf(registry) });
}

/** Damages each blob of a registry. */
function damageBlobs({ dataDir }: TestServer): void {
  const blobs = readdirSync(join(dataDir, 'blobs'), { recursive: true, withFileTypes: true }).filter((it) =>
    it.isFile(),
  );
  assert.ok(blobs.length > 0);
  for (const { parentPath, name } of blobs) writeFileSync(join(parentPath, name), 'other bytes');
}

export const OPERATIONS: Situations = {
  'The disk is full': async (stage) => {
    const server = await startServerProcess({
      env: { ...SETTINGS, DATA_DIR: join(stage.folder, 'full') },
      limits: `ulimit -f ${LIMIT_KIB}`,
    });
    stage.atEnd(() => server.stop());
    const form = new FormData();
    form.set('file', new Blob([new Uint8Array(2 * LIMIT_KIB * 1024)]), 'tiles.pmtiles');
    return stage.answer(
      await fetch(`${server.url}/api/v1/artefacts/file/tiles`, {
        method: 'POST',
        headers: { 'x-secret-key': SECRET },
        body: form,
      }),
    );
  },

  'The storage does not answer': async (stage) => {
    const folder = join(stage.folder, 'away');
    const registry = await stage.start({ dataDir: folder });
    rmSync(join(folder, 'blobs'), { recursive: true });
    writeFileSync(join(folder, 'blobs'), 'in place of the mounted disk');
    return stage.answer(await registry.upload('tiles', { format: 'file', file: Buffer.from('tiles') }));
  },

  'The instance to restore into is not empty': async (stage) => {
    const registry = await stage.start();
    await registry.upload('tiles', { format: 'file', file: Buffer.from('tiles') });
    await operate(stage, registry, 'backup', join(stage.folder, 'backup'));
    const output = await operate(stage, registry, 'restore', join(stage.folder, 'backup'));
    return output.replaceAll(registry.dataDir, '/var/lib/berth');
  },

  'Stored bytes are damaged': async (stage) => {
    const registry = await stage.start();
    await registry.upload('tiles', { format: 'file', file: Buffer.from('tiles of France') });
    damageBlobs(registry);
    return operate(stage, registry, 'scrub');
  },

  'A job is running already': async (stage) => {
    const registry = await stage.registry();
    const headers = await registry.superadmin();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => registry.api('POST', '/storage/scrub', { headers })),
    );
    const refused = answers.find(({ status }) => status === 409);
    return refused ? stage.answer(refused) : '';
  },
};
