// Provokes each situation of the troubleshooting guide, and compares what is printed with the message in the guide.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { CONSUMING } from './situations/consuming.ts';
import { MIRRORS } from './situations/mirrors.ts';
import { OPERATIONS } from './situations/operations.ts';
import { PROXIES } from './situations/proxies.ts';
import { PUBLISHING } from './situations/publishing.ts';
import { SIGN_IN } from './situations/sign-in.ts';
import { Stage, type Situations } from './situations/stage.ts';
import { STARTS } from './situations/starts.ts';

/** Of a part of a message that differs each time. */
const ANYTHING = '…';
const NGINX_DIRECTIVES = ['client_max_body_size', 'proxy_request_buffering', 'proxy_pass'];
const SITUATIONS: Situations = {
  ...STARTS,
  ...PROXIES,
  ...SIGN_IN,
  ...PUBLISHING,
  ...CONSUMING,
  ...MIRRORS,
  ...OPERATIONS,
};

interface Section {
  title: string;
  message: string;
  remedy: string;
}

const guide = readFileSync(join(repositoryRoot, 'docs/guides/troubleshooting.md'), 'utf8');
const sections = [...guide.matchAll(/^### (.+)\n\n```text\n([^]*?)\n```\n([^]*?)(?=^##|(?![^]))/gm)].map(
  ([, title = '', message = '', remedy = '']): Section => ({ title, message, remedy }),
);

/** Whether a text contains a message; each `…` stands for any text within a line. */
function contains(output: string, message: string): boolean {
  const parts = message.split(ANYTHING).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(parts.join('.*?')).test(output);
}

describe('the troubleshooting guide', () => {
  const stage = new Stage();
  after(() => stage.end());

  test('has at least thirty situations, each with a message and a remedy, and all are provoked here', () => {
    assert.ok(sections.length >= 30, `${sections.length} situations`);
    assert.equal(sections.length, guide.split(/^### /m).length - 1);
    assert.deepEqual(sections.map(({ title }) => title).sort(), Object.keys(SITUATIONS).sort());
    for (const { title, message, remedy } of sections) {
      assert.ok(message.replaceAll(ANYTHING, '').trim().length > 20, title);
      assert.ok(remedy.trim().length > 40, title);
    }
  });

  test('names only existing error codes', () => {
    const errors = readFileSync(join(repositoryRoot, 'docs/reference/errors.md'), 'utf8');
    const named = [...guide.matchAll(/"code":"(\w+)"|`(?:\d{3} )?([a-z]+(?:_[a-z]+)+)`/g)].map(
      ([, printed = '', mentioned = '']) => printed + mentioned,
    );
    const unknown = named.filter((name) => !errors.includes(`\`${name}\``) && !NGINX_DIRECTIVES.includes(name));
    assert.ok(named.length > 20);
    assert.deepEqual(unknown, []);
  });

  for (const { title, message } of sections)
    test(`${title}: the message is the one that is printed`, async () => {
      const output = (await SITUATIONS[title]?.(stage)) ?? '';
      assert.ok(contains(output, message), `printed:\n${output}\nin the guide:\n${message}`);
    });
});
