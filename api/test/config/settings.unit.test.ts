// Each setting, whatever is given for it, is either read or refused in one sentence that names it.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { stringify } from 'yaml';
import { ConfigError, readConfig, type Config } from '../../src/config/index.ts';
import { MARK, SETTINGS, TEXTS, VALUES, type Setting } from './settings.ts';

const scratch = mkdtempSync(join(tmpdir(), 'berth-config-'));
after(() => {
  rmSync(scratch, { recursive: true });
});
const MAX_MESSAGE_LENGTH = 500;

let last = 0;
function writeScratch(text: string | Uint8Array): string {
  const path = join(scratch, String(++last));
  writeFileSync(path, text);
  return path;
}

type Env = Record<string, string>;
const valueIn = (config: Config, name: string) => (config as unknown as Record<string, unknown>)[name];

/** Reads the configuration, or returns the message of the refusal, which must be safe to print. */
function read(env: Env): Config | string {
  try {
    return readConfig(env);
  } catch (error) {
    assert.ok(error instanceof ConfigError, (error as Error).stack);
    assert.match(error.message, /^[^\p{Cc}]+\.$/u);
    return error.message;
  }
}

function refusalOf(env: Env): string {
  const result = read(env);
  return typeof result === 'string' ? result : assert.fail('it was not refused');
}

function assertReadOrRefused(setting: Setting, env: Env): void {
  const result = read({ ...setting.others, ...env });
  if (typeof result !== 'string') return;
  assert.ok(result.includes(setting.name), result);
  assert.ok(result.length < MAX_MESSAGE_LENGTH, result);
  if (setting.isSecret) assert.ok(!result.includes(MARK), result);
}

for (const setting of SETTINGS)
  describe(setting.name, () => {
    const { name, isSecret, valid, others } = setting;
    const expected = () => valueIn(readConfig({ ...others, [name]: valid }), name);

    test('is read with line ends around it', () => {
      for (const text of [`${valid}\n`, `${valid}\r\n`, `${valid}\r`, `\n${valid}\n\n`])
        assert.deepEqual(valueIn(readConfig({ ...others, [name]: text }), name), expected());
    });

    test(`${isSecret ? 'is refused' : 'is read'} with white space around it`, () => {
      for (const text of [`${valid} `, `\t${valid}`]) {
        const env = { ...others, [name]: text };
        if (isSecret) assert.match(refusalOf(env), new RegExp(`^${name} begins or ends with white space: `));
        else assert.deepEqual(valueIn(readConfig(env), name), expected());
      }
    });

    test('is read or refused by its name, for any text', () => {
      for (const text of Object.values(TEXTS)) assertReadOrRefused(setting, { [name]: text });
    });

    test('is read or refused by its name, for any value in BERTH_CONFIG', () => {
      for (const value of [...Object.values(TEXTS), ...Object.values(VALUES)])
        assertReadOrRefused(setting, { [name]: '', BERTH_CONFIG: writeScratch(stringify({ [name]: value })) });
    });

    if (!isSecret) {
      test('cannot be given in a file of its own', () => {
        const result = refusalOf({ BERTH_CONFIG: writeScratch(stringify({ [`${name}_FILE`]: '/x' })) });
        assert.match(result, new RegExp(` has the unknown setting ${name}_FILE; `));
      });
      return;
    }

    const fileName = `${name}_FILE`;
    const { [name]: _, ...rest } = others;

    test('is read from the file that a variable names, with line ends around it', () => {
      for (const text of [valid, `${valid}\n`, `\uFEFF${valid}\r\n`]) {
        const path = writeScratch(text);
        assert.deepEqual(valueIn(readConfig({ ...rest, [fileName]: path }), name), expected());
        const config = writeScratch(stringify({ [fileName]: path }));
        assert.deepEqual(valueIn(readConfig({ ...rest, BERTH_CONFIG: config }), name), expected());
      }
    });

    test('is refused if it is given twice', () => {
      const path = writeScratch(valid);
      const message = `${name} and ${fileName} are both set: remove one of them.`;
      assert.equal(read({ ...rest, [name]: valid, [fileName]: path }), message);
      const config = writeScratch(stringify({ [name]: valid, [fileName]: path }));
      assert.equal(read({ ...rest, BERTH_CONFIG: config }), message);
    });

    test('from a variable overrides that in a file that BERTH_CONFIG names', () => {
      const config = writeScratch(stringify({ [fileName]: join(scratch, 'missing') }));
      assert.deepEqual(valueIn(readConfig({ ...rest, [name]: valid, BERTH_CONFIG: config }), name), expected());
    });

    test('is refused if its file cannot be read, without its content', () => {
      for (const [path, reason] of [
        [join(scratch, 'missing'), 'which cannot be read: no such file or directory'],
        [scratch, 'which cannot be read: illegal operation on a directory'],
        [writeScratch('\n'), 'but that file is empty'],
        [writeScratch(Buffer.from(`${MARK}\xff`, 'latin1')), 'which cannot be read: The encoded data was not valid'],
      ] as const) {
        const result = refusalOf({ ...rest, [fileName]: path });
        assert.ok(result.startsWith(`${fileName} is ${path}, ${reason}`), result);
        assert.ok(!result.includes(MARK));
      }
    });

    test('in a file is read or refused by its name, for any text', () => {
      for (const text of Object.values(TEXTS)) {
        const path = writeScratch(text);
        const result = read({ ...rest, [fileName]: path });
        if (typeof result !== 'string') continue;
        assert.ok(result.includes(name) && result.includes(path) && !result.includes(MARK), result);
      }
    });
  });

describe('the file of BERTH_CONFIG', () => {
  test('is refused without showing what it contains', () => {
    for (const text of [
      `AUTH_SECRET: [${MARK}\nPORT: {{`,
      `AUTH_SECRET: *${MARK}`,
      `AUTH_SECRET: !${MARK} x`,
      `AUTH_SECRET: &${MARK} [*${MARK}]`,
      `AUTH_SECRET: "${MARK}`,
      `- ${MARK}`,
      MARK,
      '',
    ]) {
      const result = refusalOf({ BERTH_CONFIG: writeScratch(text) });
      assert.match(result, /^(BERTH_CONFIG is|AUTH_SECRET has) /);
      assert.ok(!result.includes(MARK), result);
    }
  });

  test('may be named with white space around the path', () => {
    const path = writeScratch('PORT: 1234');
    assert.equal(readConfig({ BERTH_CONFIG: ` ${path}\n` }).PORT, 1234);
  });
});
