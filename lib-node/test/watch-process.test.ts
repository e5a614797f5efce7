// How long a watch keeps its process alive.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import test from 'node:test';
import type { TestContext } from 'node:test';
import { failing } from './support/misbehaviours.ts';
import { ID } from './support/setting.ts';
import { makeWatchSetting, TARBALL } from './support/watching.ts';

const LIBRARY = new URL('../dist/index.js', import.meta.url).href;

const startProgram = (t: TestContext, program: string) => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill());
  return child;
};

test('a process lives as long as its watch, also while there is no stream', async (t) => {
  const { registry, streams, options } = await makeWatchSetting(t);
  streams.misbehave(failing(404, 'route_not_found'));
  const program = `
    import { watchArtefacts } from ${JSON.stringify(LIBRARY)};
    const watch = watchArtefacts({
      ...${JSON.stringify({ ...options, ids: [ID], pollIntervalMs: 500 })},
      onUpdate: async ({ artefact }) => {
        console.log(artefact.version);
        if (artefact.version === '1') await watch.close();
      },
    });`;
  const child = startProgram(t, program);
  const exited = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    lines.push(line);
    if (line === '0') registry.publish(ID, { noarch: TARBALL }, { version: '1' });
  }
  assert.deepEqual(
    [lines, await exited],
    [
      ['0', '1'],
      [0, null],
    ],
  );
});

test('nothing is left to wait for after the end, also if a callback was to be called again', async (t) => {
  const { options } = await makeWatchSetting(t);
  const program = `
    import { watchArtefacts } from ${JSON.stringify(LIBRARY)};
    const watch = watchArtefacts({
      ...${JSON.stringify({ ...options, pollIntervalMs: 60_000 })},
      onUpdate: () => { throw new Error('no'); },
      onError: () => setTimeout(async () => {
        await watch.close();
        console.log(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length);
        process.exit();
      }),
    });`;
  const [line] = (await once(createInterface(startProgram(t, program).stdout), 'line')) as [string];
  assert.equal(line, '0');
});
