import assert from 'node:assert/strict';
import test from 'node:test';
import { ensureArtefact, getArtefact, listArtefacts, publishArtefact } from '../dist/index.js';

const VALID = { registryUrl: 'http://127.0.0.1:9', artefactId: '@acme/sample@1', cacheDir: '/nowhere' };
type Options = Parameters<typeof ensureArtefact>[0];

function rejectsOption(options: Record<string, unknown>, message: RegExp): Promise<void> {
  return assert.rejects(
    ensureArtefact({ ...VALID, ...options }),
    (error) => error instanceof TypeError && message.test(error.message),
  );
}

test('the option version is refused: the id is the only selector', async () => {
  await rejectsOption({ version: '1.2.3' }, /unknown option "version": an artefact is selected by its id alone/);
});

test('the error names an unknown option', async () => {
  await rejectsOption({ architectures: 'x64' }, /unknown option "architectures"/);
});

test('the error names a missing option', async () => {
  for (const name of Object.keys(VALID)) await rejectsOption({ [name]: undefined }, new RegExp(`${name} is missing`));
});

test('the error names an invalid option', async () => {
  const invalid: Record<string, unknown[]> = {
    registryUrl: [
      '',
      'registry',
      'ftp://registry',
      'http://user:pass@registry',
      'http://registry/?a=b',
      'http://registry/#a',
    ],
    artefactId: ['', '.', '..', 7, '\ud800'],
    architecture: ['X64', '../x64', '-', 'a'.repeat(65)],
    account: ['acme', { type: 'organization' }, { type: 'team', id: 'acme' }, { type: 'user', id: '' }],
    secretKey: ['', 'two\nlines', 'é'],
    keep: [0, 1.5, '2'],
    build: ['yes'],
    allowStale: ['yes'],
    retries: [-1],
    timeoutMs: [0],
    signal: [{}],
    onProgress: ['log'],
  };
  for (const [name, values] of Object.entries(invalid)) {
    for (const value of values) await rejectsOption({ [name]: value }, new RegExp(`${name} must be`));
  }
});

test('the error does not quote an invalid secret', async () => {
  await rejectsOption({ secretKey: 'hunter2\nhunter3' }, /^(?!.*hunter2)/s);
});

test('a secret and a key cannot be combined', async () => {
  await rejectsOption({ secretKey: 'a', apiKey: 'b' }, /secretKey and apiKey cannot be combined/);
});

test('all functions validate their options', async () => {
  await assert.rejects(getArtefact({ registryUrl: 'http://127.0.0.1:9' } as Options), /artefactId is missing/);
  await assert.rejects(
    listArtefacts({ registryUrl: 'http://127.0.0.1:9', limit: 3 } as { registryUrl: string }),
    /unknown option "limit"/,
  );
  await assert.rejects(
    publishArtefact({ ...VALID, cacheDir: undefined, file: 3 } as unknown as Parameters<typeof publishArtefact>[0]),
    TypeError,
  );
  await assert.rejects(
    publishArtefact({
      registryUrl: VALID.registryUrl,
      artefactId: 'a',
      format: 'file',
      file: 'x',
      architecture: 'x64',
    }),
    /architecture requires the format npm/,
  );
  await assert.rejects(getArtefact(undefined as unknown as Options), TypeError);
});
