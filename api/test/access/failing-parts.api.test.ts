// Every writing route while the disk of the database or of the storage is full or fails: an error that says so,
// nothing half-written, and the next request succeeds when the disk works again.

import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createFailingDatabase, type FailingDatabase } from '../support/failing-database.ts';
import { withFault } from '../support/failing-fs.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD } from '../support/people.ts';
import { DIALECTS } from '../support/test-server.ts';
import { ACCOUNT_ROWS } from './meanwhile-account-rows.ts';
import type { MeanwhileApp, Person } from './meanwhile-app.ts';
import { createCaller } from './meanwhile-changes.ts';
import { CONTENT_ROWS } from './meanwhile-content-rows.ts';
import {
  ROOT,
  row,
  sendRow,
  startWrittenApp,
  type WriteRequest,
  type WriteRow,
  type WrittenApp,
} from './meanwhile-row.ts';

/** Routes of better-auth, which meanwhile.api.test.ts leaves out. */
const AUTH_ROWS: WriteRow[] = [
  row('POST /auth/sign-in/email', ROOT, async () => ({
    path: '/../auth/sign-in/email',
    body: { email: ADMIN_EMAIL, password: ADMIN_PASSWORD },
  })),
  row('POST /auth/sign-out', ROOT, async () => ({ path: '/../auth/sign-out', body: {} })),
];
const ROWS = [...ACCOUNT_ROWS, ...CONTENT_ROWS, ...AUTH_ROWS];

interface Fault {
  /** Status, code and Retry-After of a request that fails. */
  answer: string;
  /** Whether requests can succeed, since not every one needs what fails. */
  maySucceed: boolean;
  during(it: { app: MeanwhileApp; database: FailingDatabase }, work: () => Promise<void>): Promise<unknown>;
}

const blobsOf = ({ dataDir }: MeanwhileApp) => join(dataDir, 'blobs');
const FAULTS: Record<string, Fault> = {
  'the disk of the database is full': {
    answer: '507 database_full 10',
    maySucceed: false,
    during: ({ database }, work) => database.during('full', work),
  },
  'the disk of the database fails': {
    answer: '503 database_unavailable 2',
    maySucceed: false,
    during: ({ database }, work) => database.during('io-error', work),
  },
  'the storage is full': {
    answer: '507 storage_full 10',
    maySucceed: true,
    during: ({ app }, work) => withFault({ root: blobsOf(app), code: 'ENOSPC', at: 1, lasting: true }, work),
  },
  'the storage is away': {
    answer: '503 storage_unavailable 5',
    maySucceed: true,
    async during({ app }, work) {
      await rename(blobsOf(app), `${blobsOf(app)}-away`);
      try {
        await work();
      } finally {
        await rename(`${blobsOf(app)}-away`, blobsOf(app));
      }
    },
  },
};

for (const dialect of DIALECTS) {
  describe(`a writing request on ${dialect}`, () => {
    let app: MeanwhileApp;
    let database: FailingDatabase;
    let written: WrittenApp;
    before(async () => {
      written = await startWrittenApp(dialect, { onError: () => undefined });
      ({ app } = written);
      database = await createFailingDatabase(app.database);
    });
    after(() => written.close());

    async function prepare(row: WriteRow): Promise<() => Promise<string>> {
      // A job that is due already is refused.
      await app.database.db.deleteFrom('job_runs').execute();
      const person = await createCaller(app, row.by[0] ?? 'a superadmin');
      const request = await row.prepare(written, person);
      return () => send(row, person, request);
    }

    /** Sends the request; returns the status, code and Retry-After of a problem. */
    async function send(row: WriteRow, person: Person, request: WriteRequest): Promise<string> {
      const response = await sendRow(app, row, person, request);
      const text = await response.text();
      if (response.ok) return 'success';
      const { code } = JSON.parse(text) as { code: string };
      return `${response.status} ${code} ${response.headers.get('retry-after')}`;
    }

    /** A resumable upload may have received some of its bytes. */
    const dump = async () => (await app.dump()).filter((it) => !it.startsWith('resumable_uploads|'));

    for (const [name, fault] of Object.entries(FAULTS))
      for (const row of ROWS)
        test(`${row.route}, while ${name}: fails clearly, changes nothing, and recovers`, async () => {
          const request = await prepare(row);
          const before = await dump();
          await fault.during({ app, database }, async () => {
            const answer = await request();
            if (!fault.maySucceed || answer !== 'success') {
              assert.equal(answer, fault.answer);
              assert.deepEqual(await dump(), before);
            }
            assert.equal((await app.api('GET', '/artefacts', { headers: app.internal })).status, 200);
          });
          assert.equal(await (await prepare(row))(), 'success');
        });
  });
}
