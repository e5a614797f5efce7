import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startTestRegistry, type TestRegistry } from './test-registry.ts';

const NAME = '@acme/native';
const SOURCE = `
  #include <node_api.h>
  static napi_value Answer(napi_env env, napi_callback_info info) {
    napi_value result;
    napi_create_int32(env, 42, &result);
    return result;
  }
  NAPI_MODULE_INIT() {
    napi_value answer;
    napi_create_function(env, "answer", NAPI_AUTO_LENGTH, Answer, NULL, &answer);
    return answer;
  }`;

describe('berth publish of a plug-in with a native add-on', () => {
  let registry: TestRegistry;
  let folder: string;
  let env: Record<string, string>;
  before(async () => {
    registry = await startTestRegistry();
    folder = join(registry.scratch, 'native');
    // The headers of the running Node, so that the build downloads none.
    env = {
      BERTH_URL: registry.url,
      BERTH_API_KEY: await registry.uploadKey(),
      npm_config_nodedir: dirname(dirname(process.execPath)),
    };
    const addon = join(registry.scratch, 'addon');
    mkdirSync(addon);
    mkdirSync(folder);
    writeFileSync(
      join(addon, 'package.json'),
      JSON.stringify({ name: 'addon', version: '1.0.0', license: 'MIT', scripts: { install: 'node-gyp rebuild' } }),
    );
    writeFileSync(
      join(addon, 'binding.gyp'),
      JSON.stringify({ targets: [{ target_name: 'addon', sources: ['addon.c'] }] }),
    );
    writeFileSync(join(addon, 'addon.c'), SOURCE);
    writeFileSync(join(addon, 'index.js'), 'module.exports = require("./build/Release/addon.node");');
    execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], { cwd: addon });
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({
        name: NAME,
        version: '1.0.0',
        main: 'index.js',
        dependencies: { addon: 'file:addon-1.0.0.tgz' },
      }),
    );
    writeFileSync(join(folder, 'index.js'), 'module.exports = require("addon");');
    execFileSync('npm', ['install', '--package-lock-only', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: folder,
      stdio: 'ignore',
    });
  });
  after(() => registry.stop());

  async function publish(
    ref: string,
    ...words: string[]
  ): Promise<{ hasNativeModules: boolean; hasInstallScripts: boolean }> {
    const { status, stdout, stderr } = await registry.berth(
      ['publish', folder, '--bundle', '--ref', ref, '--json', ...words],
      { env },
    );
    assert.equal(status, 0, stderr);
    const { id, architecture } = JSON.parse(stdout) as { id: string; architecture: string };
    await registry.show(id);
    const document = (await (await fetch(`${registry.url}/api/v1/artefacts/${encodeURIComponent(id)}`)).json()) as {
      tarballs: Record<string, { hasNativeModules: boolean; hasInstallScripts: boolean }>;
    };
    assert.deepEqual(Object.keys(document.tarballs), [architecture]);
    return document.tarballs[architecture]!;
  }

  async function pull(id: string): Promise<string> {
    const { status, stdout, stderr } = await registry.berth(
      ['pull', id, '--dir', join(registry.scratch, 'cache'), '--architecture', process.arch],
      { env: { BERTH_URL: registry.url, BERTH_API_KEY: await registry.readKey() } },
    );
    assert.equal(status, 0, stderr);
    return stdout.trim();
  }

  test('contains the source of the add-on, for consumers that build it themselves', async () => {
    const slot = await publish('main');
    assert.partialDeepStrictEqual(slot, { hasNativeModules: true, hasInstallScripts: true });
    const plugin = await pull(`${NAME}@main`);
    assert.throws(() => createRequire(join(plugin, 'package.json'))('./index.js'), /addon\.node/);
  });

  test('with --scripts, contains the built add-on for the slot of this architecture', async () => {
    const slot = await publish('v1.0.0', '--scripts', '--architecture', process.arch);
    assert.equal(slot.hasNativeModules, true);
    const plugin = await pull(`${NAME}@1`);
    const answer = createRequire(join(plugin, 'package.json'))('./index.js') as () => number;
    assert.equal(answer(), 42);
  });
});
