import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { repositoryRoot } from '../runtime.ts';
import { makeClone } from './support/clone.ts';
import { freePort } from '../../api/test/support/free-port.ts';
import { runInTerminal } from './support/terminal.ts';

const CONSUMER_LINES = 10;

const clone = makeClone();
after(() => {
  clone.remove();
});

const port = await freePort();
const readme = readFileSync(join(repositoryRoot, 'README.md'), 'utf8').replaceAll(
  'localhost:8080',
  `localhost:${port}`,
);
const byHand = readme.slice(readme.indexOf('## The same by hand'), readme.indexOf('## Packages'));
const blocks = (language: string) =>
  [...byHand.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map((match) => match[1] ?? '');

test('the commands of the README lead to a running plug-in', async () => {
  const [start = '', ...commands] = blocks('sh');
  const [consumer = '', ...others] = blocks('js');
  assert.match(start, /npm start/);
  assert.deepEqual(others, []);
  assert.equal(consumer.split('\n').filter((line) => line !== '').length, CONSUMER_LINES);
  using server = runInTerminal(start.replace('npm start', 'exec npm start'), {
    directory: clone.directory,
    env: { PORT: String(port) },
  });
  await server.shows(/Sign in as admin@localhost/);
  const [, file = ''] = /Save this as `(.+?)`/.exec(byHand) ?? [];
  mkdirSync(join(clone.directory, dirname(file)), { recursive: true });
  writeFileSync(join(clone.directory, file), consumer);

  using shell = runInTerminal('sh -eu', { directory: clone.directory, stdin: commands.join('') });
  assert.equal(await shell.ended, 0, shell.output());
  assert.match(shell.output(), /"artefact":{"_id":"@data-fair\/processing-hello-world@0"/);
  assert.match(
    shell.output(),
    /api\/v1\/datasets\/hello\/lines\/hello { message: 'Hello world!' }\n1 ligne de donnée écrite/,
  );

  server.pressCtrlC();
  assert.equal(await server.ended, 0);
});
