import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { NAME, plugIn, tag } from './plug-in.ts';
import { startTestRegistry, type RunOptions, type TestRegistry } from './test-registry.ts';

let registry: TestRegistry;
let { url, scratch, berth, show } = {} as TestRegistry;
let key: string;
before(async () => {
  registry = await startTestRegistry();
  ({ url, scratch, berth, show } = registry);
  key = await registry.uploadKey();
});
after(() => registry.stop());

const withKey = () => ({ BERTH_URL: url, BERTH_API_KEY: key });

async function json<T>(words: string[], options: RunOptions = {}): Promise<T> {
  const { status, stdout, stderr } = await berth([...words, '--json'], { env: withKey(), ...options });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as T;
}

describe('berth publish', () => {
  let folder: string;
  let version: string;
  before(() => {
    folder = plugIn(join(scratch, 'plug-in'));
    ({ version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string });
  });

  test('publishes the real plug-in under its branch', async () => {
    const published = await json<Record<string, unknown>>(['publish'], { cwd: folder });
    assert.partialDeepStrictEqual(published, { id: `${NAME}@main`, architecture: 'noarch', package: NAME, version, isPublished: true });
    assert.match(published['digest'] as string, /^sha256:[0-9a-f]{64}$/);
    const { stdout } = await berth(['publish', folder], { env: withKey() });
    assert.equal(stdout, `${NAME}@main noarch: ${NAME} ${version}, ${formatted(published['size'] as number)}, ${published['digest'] as string}\n`);
  });

  test('publishes it with its production dependencies inside, as locked', async () => {
    const { id } = await json<{ id: string }>(['publish', '--bundle', '--ref', 'bundled'], { cwd: folder });
    await show(id);
    const { results } = await (await fetch(`${url}/api/v1/artefacts/${encodeURIComponent(id)}/packages`)).json() as { results: { name: string; version: string }[] };
    assert.deepEqual(results.map((it) => `${it.name}@${it.version}`), ['semver@7.8.6']);
    assert.ok(!existsSync(join(folder, 'node_modules')));
    const bare = join(scratch, 'bare');
    mkdirSync(bare);
    writeFileSync(join(bare, 'package.json'), JSON.stringify({ name: 'bare', version: '1.0.0', dependencies: { semver: '7.8.6' } }));
    const { status, stderr } = await berth(['publish', bare, '--bundle', '--ref', 'main'], { env: withKey() });
    assert.deepEqual([status, stderr], [1, 'berth publish: --bundle needs a lock file beside package.json: run npm install once, and commit package-lock.json\n']);
  });

  test('packs what a script of the package builds, whatever that says', async () => {
    const built = join(scratch, 'built');
    mkdirSync(built);
    writeFileSync(join(built, 'package.json'), JSON.stringify({ name: 'built', version: '2.0.0', scripts: { prepack: 'echo "[building]" && echo made > index.js && env > ../seen-by-prepack' } }));
    const { id } = await json<{ id: string }>(['publish', built, '--ref', 'main'], { env: { ...withKey(), ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'right of the job', BERTH_ID_TOKEN: 'token of the job' } });
    await show(id);
    const { results } = await (await fetch(`${url}/api/v1/artefacts/${encodeURIComponent(id)}/files`, { headers: registry.session })).json() as { results: { path: string }[] };
    assert.ok(results.some(({ path }) => path.endsWith('index.js')), JSON.stringify(results));
    const seen = readFileSync(join(built, '../seen-by-prepack'), 'utf8');
    for (const secret of [key, 'right of the job', 'token of the job']) assert.ok(!seen.includes(secret), `${secret} is not for scripts of packages`);
  });

  test('takes the major on a tag, which must be that of the version', async () => {
    const dry = (env: Record<string, string>, ...words: string[]) => berth(['publish', folder, '--dry-run', '--json', ...words], { env });
    const idFor = async (env: Record<string, string>, ...words: string[]) => (JSON.parse((await dry(env, ...words)).stdout) as { id: string }).id;
    const major = version.split('.')[0];
    assert.equal(await idFor({ GITHUB_REF_TYPE: 'tag', GITHUB_REF_NAME: `v${version}` }), `${NAME}@${major}`);
    assert.equal(await idFor({ CI_COMMIT_TAG: `v${version}` }, '--flat'), `@data-fair-processing-hello-world-${major}`);
    assert.equal(await idFor({ GITHUB_REF_TYPE: 'branch', GITHUB_REF_NAME: 'feature/x' }), `${NAME}@feature/x`);
    assert.equal(await idFor({ CI_COMMIT_BRANCH: 'feature/x' }, '--flat'), '@data-fair-processing-hello-world-feature-x');
    assert.equal(await idFor({}, '--id', 'anything'), 'anything');
    const { status, stderr } = await dry({ CI_COMMIT_TAG: 'v99.0.0' });
    assert.deepEqual([status, stderr], [1, `berth publish: the tag is v99.0.0, but package.json says version ${version}: they must be equal\n`]);
    tag(folder, `v${version}`);
    assert.equal(await idFor({}), `${NAME}@${major}`);
  });

  test('publishes a tarball that is packed already, into a slot', async () => {
    execFileSync('npm', ['pack', '--silent', '--pack-destination', scratch], { cwd: folder });
    const tarball = join(scratch, `data-fair-processing-hello-world-${version}.tgz`);
    const published = await json<Record<string, unknown>>(['publish', tarball, '--id', 'packed', '--architecture', 'arm64', '--category', 'other']);
    assert.partialDeepStrictEqual(published, { id: 'packed', architecture: 'arm64', version, size: statSync(tarball).size });
    await show('packed');
    const document = await json<{ tarballs: object; category: string }>(['info', 'packed'], { env: { BERTH_URL: url } });
    assert.deepEqual([Object.keys(document.tarballs), document.category], [['arm64'], 'other']);
  });

  test('says in one line what is wrong, and exits 1', async () => {
    const said = async (words: string[], env: Record<string, string> = withKey()) => {
      const { status, stdout, stderr } = await berth(['publish', ...words], { env });
      assert.deepEqual([status, stdout], [1, ''], words.join(' '));
      return stderr;
    };
    assert.equal(await said(['nowhere', '--ref', 'main']), 'berth publish: there is no package at nowhere\n');
    assert.match(await said([folder, '--ref', 'main'], { BERTH_URL: url }), /^berth publish: .+needs an upload key.+\n$/);
    assert.match(await said([folder, '--ref', 'main'], { BERTH_URL: 'http://127.0.0.1:1', BERTH_API_KEY: key }), /^berth publish: .+\n$/);
    assert.equal(await said([folder], {}), 'berth publish: which registry? Give --url or BERTH_URL, or run berth login once\n');
    assert.equal((await berth(['publish', '--colour'])).status, 2);
  });
});

function formatted(bytes: number): string { return bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`; }
