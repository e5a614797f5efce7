// Starts that fail.

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createTestDatabaseUrl } from '../../../api/test/support/postgres.ts';
import { createTestS3 } from '../../../api/test/support/s3.ts';
import { startTestServer } from '../../../api/test/support/test-server.ts';
import { ensureNode } from '../../../scripts/test-programs.ts';
import { repositoryRoot } from '../../../scripts/runtime.ts';
import type { Situations } from './stage.ts';

/** Settings of a server on PostgreSQL, which must be given its secrets. */
const SECRETS = { API_KEYS_SALT: 's'.repeat(32), CIPHER_PASSWORD: 'c'.repeat(32), AUTH_SECRET: 'a'.repeat(32) };

export const STARTS: Situations = {
  'A setting has a wrong value': (stage) => stage.serve({ PORT: 'http' }),

  'The port is in use': async (stage) => {
    const { url } = await stage.registry();
    return (await stage.serve({ PORT: new URL(url).port })).replaceAll(new URL(url).port, '8080');
  },

  'Node is too old': async (stage) => {
    const check = ['--import', join(repositoryRoot, 'scripts/check-runtime.js'), 'api/server.ts'];
    return stage.run(await ensureNode('20.20.2'), check, { cwd: repositoryRoot });
  },

  'DATA_DIR cannot be written': async (stage) => {
    const file = join(stage.folder, 'file');
    writeFileSync(file, '');
    return stage.serve({ DATA_DIR: join(file, 'berth') });
  },

  'The secrets are missing': async (stage) => {
    const folder = join(stage.folder, 'without-secrets');
    const registry = await startTestServer({ dataDir: folder });
    await registry.uploadKey();
    await registry.close();
    return (await stage.serve({ DATA_DIR: folder })).replaceAll(folder, '/var/lib/berth');
  },

  'Another server uses the data': async (stage) => {
    const { dataDir } = await stage.registry();
    return (await stage.serve({ DATA_DIR: dataDir })).replaceAll(dataDir, '/var/lib/berth');
  },

  'The database is newer than the program': async (stage) => {
    const { dataDir } = await stage.start();
    const newer = join(stage.folder, 'newer');
    mkdirSync(newer);
    new DatabaseSync(join(dataDir, 'berth.db')).exec(`VACUUM INTO '${join(newer, 'berth.db')}'`);
    const database = new DatabaseSync(join(newer, 'berth.db'));
    database.exec("INSERT INTO kysely_migration (name, timestamp) VALUES ('9999-of-the-future', '2099-01-01')");
    database.close();
    chmodSync(join(newer, 'berth.db'), 0o600);
    return stage.serve({ DATA_DIR: newer });
  },

  'The database does not exist': async (stage) => {
    const database = await createTestDatabaseUrl();
    await database.drop();
    const output = await stage.serve({ DATABASE_URL: database.url, ...SECRETS });
    return output.replaceAll(new URL(database.url).pathname.slice(1), 'berth');
  },

  'The bucket does not exist': async (stage) => {
    const s3 = await createTestS3();
    stage.atEnd(() => s3.remove());
    return stage.serve({ ...s3.env, S3_BUCKET: 'no-such-bucket' });
  },
};
