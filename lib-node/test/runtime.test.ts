import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { findHeaderRoot, listHeaderRoots } from '../dist/node-headers.js';
import { describeRuntime, detectLibc } from '../dist/runtime.js';
import { makeDirectory } from './support/setting.ts';

async function writeHeaders(root: string, version: string): Promise<string> {
  const names = ['MAJOR', 'MINOR', 'PATCH'];
  await mkdir(join(root, 'include/node'), { recursive: true });
  const lines = version.split('.').map((number, index) => `#define NODE_${names[index]}_VERSION ${number}`);
  await writeFile(
    join(root, 'include/node/node_version.h'),
    `#ifndef SRC_NODE_VERSION_H_\n${lines.join('\n')}\n#define NODE_VERSION_IS_LTS 1\n`,
  );
  return root;
}

test('the C library is detected from the mapped files of the process', () => {
  const line = (path: string): string => `7f12c0000000-7f12c0021000 r-xp 00000000 fd:01 1234    ${path}`;
  assert.equal(detectLibc([line('/usr/local/bin/node'), line('/lib/ld-musl-x86_64.so.1')].join('\n')), 'musl');
  assert.equal(detectLibc([line('/lib/libc.musl-aarch64.so.1'), ''].join('\n')), 'musl');
  assert.equal(
    detectLibc(
      [
        line('/usr/lib/x86_64-linux-gnu/libc.so.6'),
        line('/lib64/ld-linux-x86-64.so.2'),
        line('/srv/ld-musl-notes/index.node'),
      ].join('\n'),
    ),
    'glibc',
  );
  assert.equal(detectLibc(''), 'glibc');
});

test('a runtime is named by ABI, platform, architecture and C library', () => {
  assert.match(
    describeRuntime(),
    new RegExp(`^abi${process.versions.modules}-${process.platform}-${process.arch}(?:-glibc|-musl)?$`),
  );
});

test('headers of another version are skipped', async (t) => {
  const directory = await makeDirectory(t);
  const roots = await Promise.all(
    ['24.1.0', '24.1.2', '24.1.10'].map((version) => writeHeaders(join(directory, version), version)),
  );
  assert.equal(await findHeaderRoot(roots, '24.1.2'), roots[1]);
  assert.equal(await findHeaderRoot(roots, '24.1.10-nightly2026'), roots[2]);
  assert.equal(await findHeaderRoot([join(directory, 'none'), ...roots], '24.1.1'), undefined);
});

test('headers are searched in npm_config_nodedir, next to the running Node, then in the usual places', (t) => {
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  process.env = { ...before, npm_config_nodedir: '/configured', XDG_CACHE_HOME: '/cache' };
  assert.deepEqual(listHeaderRoots().slice(0, 5), [
    '/configured',
    dirname(dirname(process.execPath)),
    '/usr/local',
    '/usr',
    `/cache/node-gyp/${process.versions.node}`,
  ]);
});
