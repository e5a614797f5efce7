import assert from 'node:assert/strict';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeClone } from './support/clone.ts';
import { freePort } from '../../api/test/support/free-port.ts';
import { runInTerminal } from './support/terminal.ts';

const clone = makeClone();
after(() => {
  clone.remove();
});

const port = await freePort();
const startDemo = () =>
  runInTerminal('exec npm run demo', { directory: clone.directory, env: { PORT: String(port) } });
const isServing = () =>
  fetch(`http://localhost:${port}/api/ping`).then(
    (response) => response.ok,
    () => false,
  );

test('the demo publishes, consumes and runs a plug-in, keeps running, and stops on Ctrl-C', async () => {
  using demo = startDemo();
  await demo.shows(/Press Ctrl-C to stop it/);
  const output = demo.output();
  assert.match(output, /uses the new folder data\/demo/);
  assert.match(output, /Version 0\.13\.0 is in the slot noarch: \d+ bytes, sha256:[0-9a-f]{64}/);
  assert.match(output, /Downloaded, verified and unpacked in data\/demo\/plugins\//);
  assert.match(output, /nothing to download/);
  assert.match(output, /The platform received hello\/hello: {"message":"Hello from Berth, world!"}/);
  assert.equal(statSync(join(clone.directory, 'data/demo/superadmin.json')).mode & 0o777, 0o600);

  await assertPrintedCommandsWork(output);
  await assertSecondDemoIsRefused();
  demo.pressCtrlC();
  assert.equal(await demo.ended, 0);
  assert.equal(await isServing(), false);
});

test('the demo suggests another port if something else uses the port', async () => {
  const other = createServer().listen(port, '127.0.0.1');
  await once(other, 'listening');
  try {
    using demo = startDemo();
    assert.equal(await demo.ended, 1);
    assert.match(
      demo.output(),
      new RegExp(`^Berth cannot start: PORT is ${port}, .+\nFor the demo: PORT=${port + 1} npm run demo$`, 'm'),
    );
  } finally {
    other.close();
  }
});

test('the demo continues with the data of a previous run, and stops on Ctrl-C while the plug-in runs', async () => {
  using demo = startDemo();
  await demo.shows(/Tâche avec progression 25/);
  assert.match(demo.output(), /continues in data\/demo/);
  assert.match(demo.output(), /Already up to date in data\/demo\/plugins\//);
  demo.pressCtrlC();
  assert.equal(await demo.ended, 0);
  assert.equal(await isServing(), false);
});

async function assertPrintedCommandsWork(output: string): Promise<void> {
  const commands = [...output.matchAll(/\$ (curl .+)/g)].map((match) => `${match[1]} --silent --show-error --fail`);
  assert.equal(commands.length, 3);
  using shell = runInTerminal(commands.join(' && '), { directory: clone.directory });
  assert.equal(await shell.ended, 0, shell.output());
  assert.match(shell.output(), /"artefact":{"_id":"@data-fair\/processing-hello-world@0"/);
}

async function assertSecondDemoIsRefused(): Promise<void> {
  using second = startDemo();
  assert.equal(await second.ended, 1);
  assert.match(second.output(), /^Berth cannot start: DATA_DIR \(data\/demo\) is in use by another server/m);
}
