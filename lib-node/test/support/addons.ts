// Makes packages with a native add-on in C, and observes and pauses their builds.

import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { makeDirectory } from './setting.ts';
import { packPackage } from './tarballs.ts';
import type { Tarball } from './tarballs.ts';

/** Observes and pauses builds. A build inherits no environment, so the package contains the path of its gate. */
export interface Gate {
  directory: string;
  /** Number of builds that have started. */
  countBuilds: () => Promise<number>;
  /** Waits until this many builds have started. */
  waitForBuilds: (count: number) => Promise<void>;
  /** Environment of the last build. */
  readEnvironment: () => Promise<Record<string, string>>;
  /** Makes builds wait, until `open`. */
  close: () => Promise<void>;
  open: () => Promise<void>;
}

/** Makes the gate for the builds of one test. */
export async function makeGate(t: TestContext): Promise<Gate> {
  const directory = await makeDirectory(t);
  const countBuilds = async (): Promise<number> =>
    (await readFile(join(directory, 'builds'), 'utf8').catch(() => '')).length;
  return {
    directory,
    countBuilds,
    waitForBuilds: async (count) => {
      while ((await countBuilds()) < count)
        await new Promise((resolve) => {
          setTimeout(resolve, 20);
        });
    },
    readEnvironment: async () =>
      JSON.parse(await readFile(join(directory, 'environment.json'), 'utf8')) as Record<string, string>,
    close: async () => {
      await writeFile(join(directory, 'closed'), '');
    },
    open: async () => {
      await rm(join(directory, 'closed'), { force: true });
    },
  };
}

/** Packs a package whose bundled dependency `addon` runs these commands in its install script. */
export function packScripted(
  version: string,
  gate: Gate,
  commands: string[] = [],
  files: Record<string, string> = {},
): Tarball {
  const script = `
    const { appendFileSync, existsSync, writeFileSync } = require('node:fs');
    const gate = ${JSON.stringify(gate.directory)};
    writeFileSync(gate + '/environment.json', JSON.stringify(process.env));
    appendFileSync(gate + '/builds', '.');
    (function wait() { if (existsSync(gate + '/closed')) setTimeout(wait, 10); })();`;
  const dependency = { name: 'addon', version, scripts: { install: ['node pass-gate.js', ...commands].join(' && ') } };
  const tarball = packPackage(version, {
    'node_modules/addon/package.json': JSON.stringify(dependency),
    'node_modules/addon/pass-gate.js': script,
    ...files,
  });
  return { ...tarball, hasNativeModules: true };
}

/** Packs a package whose add-on returns `value`, any C expression. */
export function packAddon(version: string, gate: Gate, value: string, declarations = ''): Tarball {
  const source = `
    #include <node_api.h>
    ${declarations}
    static napi_value Answer(napi_env env, napi_callback_info info) {
      napi_value result;
      napi_create_int32(env, ${value}, &result);
      return result;
    }
    NAPI_MODULE_INIT() {
      napi_value answer;
      napi_create_function(env, "answer", NAPI_AUTO_LENGTH, Answer, NULL, &answer);
      return answer;
    }`;
  return packScripted(version, gate, ['node-gyp rebuild'], {
    'node_modules/addon/binding.gyp': JSON.stringify({ targets: [{ target_name: 'addon', sources: ['addon.c'] }] }),
    'node_modules/addon/addon.c': source,
    'node_modules/addon/index.js': 'module.exports = require("./build/Release/addon.node");',
  });
}

/** Loads the add-on of an unpacked package into this process and calls it. */
export function callAddon(path: string): unknown {
  const answer = createRequire(join(path, 'package.json'))('addon') as () => unknown;
  return answer();
}

/** Tells whether the package contains a built add-on. */
export function isBuilt(path: string): boolean {
  return existsSync(join(path, 'node_modules/addon/build/Release/addon.node'));
}
