import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import {
  berth,
  berthJson,
  directory,
  type Environment,
  environment,
  PROGRAM,
  scratch,
  SECRET,
  url,
  withServedInstance,
} from './served-instance.ts';

withServedInstance();

describe('berth remotes export and import', () => {
  test('mirror artefacts through a bundle file, and report those that cannot be mirrored', async () => {
    const form = new FormData();
    form.set('file', new Blob(['bundled']), 'a.bin');
    assert.equal(
      (
        await fetch(`${url}/api/v1/artefacts/file/bundled`, {
          method: 'POST',
          headers: { 'x-secret-key': SECRET },
          body: form,
        })
      ).status,
      201,
    );
    const file = join(scratch, 'ship.tar');
    const target = { DATA_DIR: join(scratch, 'air-gapped'), PUBLIC_URL: 'https://island.example.org' };
    const exported = berthJson(['remotes', 'export', file, 'bundled'], {
      PUBLIC_URL: 'https://production.example.org',
    }) as { artefacts: number; failed: unknown[] };
    assert.deepEqual([exported.artefacts, exported.failed], [1, []]);
    assert.match(
      berth(['remotes', 'export', join(scratch, 'local.tar'), 'bundled']).stderr,
      /the bundle names http:\/\/localhost:\d+ as its registry, an address that every machine has: set PUBLIC_URL/,
    );
    assert.match(berth(['remotes', 'import', file], target).stderr, /contains no berth\.db/);
    berth(['backup', directory]);
    berth(['restore', directory, '--allow-lost'], target);
    // The artefacts of the backup already use these IDs.
    const { status, stdout, stderr } = berth(['remotes', 'import', file], target);
    assert.equal(status, 1);
    assert.match(stdout, /^Mirrored 0 artefacts of https:\/\/production\.example\.org as of /);
    assert.match(stderr, /1 artefact could not be mirrored:\n {2}bundled: The id is already in use here/);
  });
});

describe('progress on a terminal', () => {
  const onTerminal = (env: Environment) =>
    spawnSync('script', ['-qec', `${process.execPath} ${PROGRAM} backup ${join(scratch, 'terminal')}`, '/dev/null'], {
      encoding: 'utf8',
      env: { ...environment(env), TERM: 'xterm-256color' },
    }).stdout.replaceAll('\u001B', '<esc>');

  test('is one line that is redrawn, and cleared at the end', () => {
    const output = onTerminal({});
    assert.match(output, /\r<esc>\[2K<esc>\[36m━*<esc>\[39m<esc>\[2m─*<esc>\[22m +\d+% {2}blobs: \d of \d, /);
    assert.match(output, /\r<esc>\[2KBacked up .+ to \S+terminal: /);
  });

  test('has no colours with NO_COLOR', () => {
    assert.doesNotMatch(onTerminal({ NO_COLOR: '1' }), /<esc>\[\d+m/);
  });
});
