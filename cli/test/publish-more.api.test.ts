import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { NAME, createPlugIn, tag } from './plug-in.ts';
import { startKeyedRegistry, type KeyedRegistry } from './test-registry.ts';

let registry: KeyedRegistry;
let { url, scratch, berth, show, key, withKey, json } = {} as KeyedRegistry;
before(async () => {
  registry = await startKeyedRegistry();
  ({ url, scratch, berth, show, key, withKey, json } = registry);
});
after(() => registry.stop());

describe('berth publish: IDs, slots and errors', () => {
  let folder: string;
  let version: string;
  before(() => {
    folder = createPlugIn(join(scratch, 'plug-in'));
    ({ version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string });
  });

  test('derives the ID from the major version on a tag, which must match package.json', async () => {
    const dry = (env: Record<string, string>, ...words: string[]) =>
      berth(['publish', folder, '--dry-run', '--json', ...words], { env });
    const idFor = async (env: Record<string, string>, ...words: string[]) =>
      (JSON.parse((await dry(env, ...words)).stdout) as { id: string }).id;
    const major = version.split('.')[0];
    assert.equal(await idFor({ GITHUB_REF_TYPE: 'tag', GITHUB_REF_NAME: `v${version}` }), `${NAME}@${major}`);
    assert.equal(
      await idFor({ CI_COMMIT_TAG: `v${version}` }, '--flat'),
      `@data-fair-processing-hello-world-${major}`,
    );
    assert.equal(await idFor({ GITHUB_REF_TYPE: 'branch', GITHUB_REF_NAME: 'feature/x' }), `${NAME}@feature/x`);
    assert.equal(
      await idFor({ CI_COMMIT_BRANCH: 'feature/x' }, '--flat'),
      '@data-fair-processing-hello-world-feature-x',
    );
    assert.equal(await idFor({}, '--id', 'anything'), 'anything');
    const { status, stderr } = await dry({ CI_COMMIT_TAG: 'v99.0.0' });
    assert.deepEqual(
      [status, stderr],
      [1, `berth publish: tag v99.0.0 does not match version ${version} in package.json\n`],
    );
    tag(folder, `v${version}`);
    assert.equal(await idFor({}), `${NAME}@${major}`);
  });

  test('publishes an existing tarball to a slot', async () => {
    execFileSync('npm', ['pack', '--silent', '--pack-destination', scratch], { cwd: folder });
    const tarball = join(scratch, `data-fair-processing-hello-world-${version}.tgz`);
    const published = await json<Record<string, unknown>>([
      'publish',
      tarball,
      '--id',
      'packed',
      '--architecture',
      'arm64',
      '--category',
      'other',
    ]);
    assert.partialDeepStrictEqual(published, {
      id: 'packed',
      architecture: 'arm64',
      version,
      size: statSync(tarball).size,
    });
    await show('packed');
    const document = await json<{ tarballs: object; category: string }>(['info', 'packed'], {
      env: { BERTH_URL: url },
    });
    assert.deepEqual([Object.keys(document.tarballs), document.category], [['arm64'], 'other']);
  });

  test('warns of names that not all systems can unpack, and info shows them', async () => {
    const tarball = join(scratch, 'odd.tgz');
    mkdirSync(join(scratch, 'odd/package'), { recursive: true });
    const files = { 'package.json': '{"name":"odd","version":"1.0.0"}', 'README.md': '', 'readme.md': '', 'a:b': '' };
    for (const [name, content] of Object.entries(files)) writeFileSync(join(scratch, 'odd/package', name), content);
    const names = Object.keys(files).map((name) => `package/${name}`);
    execFileSync('tar', ['czf', tarball, '-C', join(scratch, 'odd'), ...names]);
    const { status, stderr } = await berth(['publish', tarball, '--id', 'odd', '--quiet'], { env: withKey() });
    assert.deepEqual(
      [status, stderr],
      [
        0,
        'berth publish: names that are the same where case or the form of accents is ignored, as on macOS and ' +
          'Windows: "README.md", "readme.md"\nberth publish: names that Windows cannot hold: "a:b"\n',
      ],
    );
    const { warnings } = await json<{ warnings: object[] }>(['publish', tarball, '--id', 'odd']);
    assert.equal(warnings.length, 2);
    await show('odd');
    const { stdout } = await berth(['info', 'odd'], { env: { BERTH_URL: url } });
    assert.match(stdout, /^warning: noarch: names that Windows cannot hold: 1$/m);
  });

  test('reports a failure in one line, and exits with status 1', async () => {
    const failure = async (words: string[], env: Record<string, string> = withKey()) => {
      const { status, stdout, stderr } = await berth(['publish', ...words], { env });
      assert.deepEqual([status, stdout], [1, ''], words.join(' '));
      return stderr;
    };
    assert.equal(await failure(['nowhere', '--ref', 'main']), 'berth publish: no package found at nowhere\n');
    assert.match(
      await failure([folder, '--ref', 'main'], { BERTH_URL: url }),
      /^berth publish: .+requires a session or a key.+\n$/,
    );
    assert.match(
      await failure([folder, '--ref', 'main'], { BERTH_URL: 'http://127.0.0.1:1', BERTH_API_KEY: key }),
      /^berth publish: .+\n$/,
    );
    assert.equal(
      await failure([folder], {}),
      'berth publish: missing registry: set --url or BERTH_URL, or run berth login\n',
    );
    assert.equal((await berth(['publish', '--colour'])).status, 2);
  });
});
