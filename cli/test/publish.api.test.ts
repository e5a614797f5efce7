import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { NAME, createPlugIn } from './plug-in.ts';
import { startKeyedRegistry, type KeyedRegistry } from './test-registry.ts';

let registry: KeyedRegistry;
let { url, scratch, berth, show, key, withKey, json } = {} as KeyedRegistry;
before(async () => {
  registry = await startKeyedRegistry();
  ({ url, scratch, berth, show, key, withKey, json } = registry);
});
after(() => registry.stop());

describe('berth publish', () => {
  let folder: string;
  let version: string;
  before(() => {
    folder = createPlugIn(join(scratch, 'plug-in'));
    ({ version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string });
  });

  test('publishes a real plug-in under the name of its branch', async () => {
    const published = await json<Record<string, unknown>>(['publish'], { cwd: folder });
    assert.partialDeepStrictEqual(published, {
      id: `${NAME}@main`,
      architecture: 'noarch',
      package: NAME,
      version,
      isPublished: true,
    });
    assert.match(published['digest'] as string, /^sha256:[0-9a-f]{64}$/);
    const { stdout } = await berth(['publish', folder], { env: withKey() });
    const size = formatSize(published['size'] as number);
    assert.equal(
      stdout,
      `Published ${NAME}@main noarch: ${NAME} ${version}, ${size}, ${published['digest'] as string}\n`,
    );
  });

  test('--bundle includes the production dependencies, as locked', async () => {
    const { id } = await json<{ id: string }>(['publish', '--bundle', '--ref', 'bundled'], { cwd: folder });
    await show(id);
    const { results } = (await (await fetch(`${url}/api/v1/artefacts/${encodeURIComponent(id)}/packages`)).json()) as {
      results: { name: string; version: string }[];
    };
    assert.deepEqual(
      results.map((it) => `${it.name}@${it.version}`),
      ['semver@7.8.6'],
    );
    assert.ok(!existsSync(join(folder, 'node_modules')));
    const bare = join(scratch, 'bare');
    mkdirSync(bare);
    writeFileSync(
      join(bare, 'package.json'),
      JSON.stringify({ name: 'bare', version: '1.0.0', dependencies: { semver: '7.8.6' } }),
    );
    const { status, stderr } = await berth(['publish', bare, '--bundle', '--ref', 'main'], { env: withKey() });
    assert.deepEqual(
      [status, stderr],
      [
        1,
        'berth publish: --bundle requires a lock file next to package.json: run npm install and commit ' +
          'package-lock.json\n',
      ],
    );
  });

  test('packs what a prepack script builds, whatever it prints, and hides secrets from it', async () => {
    const built = join(scratch, 'built');
    mkdirSync(built);
    writeFileSync(
      join(built, 'package.json'),
      JSON.stringify({
        name: 'built',
        version: '2.0.0',
        scripts: { prepack: 'echo "[building]" && echo made > index.js && env > ../environment-of-prepack' },
      }),
    );
    const { id } = await json<{ id: string }>(['publish', built, '--ref', 'main'], {
      env: {
        ...withKey(),
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'request token of the job',
        BERTH_ID_TOKEN: 'token of the job',
      },
    });
    await show(id);
    const { results } = (await (
      await fetch(`${url}/api/v1/artefacts/${encodeURIComponent(id)}/files`, { headers: registry.session })
    ).json()) as { results: { path: string }[] };
    assert.ok(
      results.some(({ path }) => path.endsWith('index.js')),
      JSON.stringify(results),
    );
    const environment = readFileSync(join(built, '../environment-of-prepack'), 'utf8');
    for (const secret of [key, 'request token of the job', 'token of the job'])
      assert.ok(!environment.includes(secret), `a script of the package can read ${secret}`);
  });
});

function formatSize(bytes: number): string {
  return bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`;
}
