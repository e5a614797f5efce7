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

describe('remotes', () => {
  test('carries artefacts from one instance to another in a file, and says what could not be carried', async () => {
    const form = new FormData();
    form.set('file', new Blob(['carried']), 'a.bin');
    assert.equal(
      (
        await fetch(`${url}/api/v1/artefacts/file/carried`, {
          method: 'POST',
          headers: { 'x-secret-key': SECRET },
          body: form,
        })
      ).status,
      201,
    );
    const file = join(scratch, 'ship.tar');
    const target = { DATA_DIR: join(scratch, 'air-gapped'), PUBLIC_URL: 'https://island.example.org' };
    const exported = berthJson(['remotes', 'export', file, 'carried'], {
      PUBLIC_URL: 'https://production.example.org',
    }) as { artefacts: number; failed: unknown[] };
    assert.deepEqual([exported.artefacts, exported.failed], [1, []]);
    assert.match(berth(['remotes', 'import', file], target).stderr, /contains no berth\.db/);
    berth(['backup', directory]);
    berth(['restore', directory, '--allow-lost'], target);
    // The ids are taken there, by the artefacts of the backup.
    const { status, stdout, stderr } = berth(['remotes', 'import', file], target);
    assert.equal(status, 1);
    assert.match(stdout, /^Mirrored 0 artefacts of https:\/\/production\.example\.org as of /);
    assert.match(stderr, /1 artefact could not be mirrored:\n {2}carried: An artefact with this id is here already/);
  });
});

describe('on a terminal', () => {
  const onTerminal = (env: Environment) =>
    spawnSync('script', ['-qec', `${process.execPath} ${PROGRAM} backup ${join(scratch, 'terminal')}`, '/dev/null'], {
      encoding: 'utf8',
      env: { ...environment(env), TERM: 'xterm-256color' },
    }).stdout.replaceAll('\u001B', '<esc>');

  test('progress is one line that is drawn again and cleared at the end', () => {
    const output = onTerminal({});
    assert.match(output, /\r<esc>\[2K<esc>\[36m━*<esc>\[39m<esc>\[2m─*<esc>\[22m +\d+% {2}blobs: \d of \d, /);
    assert.match(output, /\r<esc>\[2K\S+terminal has /);
  });

  test('NO_COLOR leaves colours out', () => {
    assert.doesNotMatch(onTerminal({ NO_COLOR: '1' }), /<esc>\[\d+m/);
  });
});
