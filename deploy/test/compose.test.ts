import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { configReference } from '../../api/src/config/index.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';

interface Service {
  image: string;
  command?: string[];
  entrypoint?: string[];
  restart?: string;
  profiles?: string[];
  environment: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: object;
  deploy?: { replicas: number };
  read_only?: boolean;
  cap_drop?: string[];
  security_opt: string[];
  init?: boolean;
  volumes?: unknown[];
  tmpfs?: string[];
  stop_grace_period?: string;
  ports?: unknown[];
  secrets?: unknown[];
}

const EXAMPLE = readFileSync(join(repositoryRoot, 'deploy/berth.env.example'), 'utf8');
const FILLED = EXAMPLE.replaceAll(/=$/gm, `=${'s'.repeat(32)}`);
const variables = [...EXAMPLE.matchAll(/^(\w+)=/gm)].map(([, name = '']) => name);

describe('deploy/compose.yaml, as docker-compose reads it', () => {
  let directory: string;
  let services: Record<string, Service>;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'berth-compose-'));
    await cp(join(repositoryRoot, 'deploy/compose.yaml'), join(directory, 'deploy/compose.yaml'));
    services = (parse(await readConfig(FILLED)) as { services: Record<string, Service> }).services;
  });
  after(() => {
    rmSync(directory, { recursive: true });
  });

  async function readConfig(settings: string, more: string[] = []): Promise<string> {
    writeFileSync(join(directory, 'berth.env'), settings);
    const { stdout, stderr } = await promisify(execFile)(
      'docker-compose',
      ['--env-file', 'berth.env', '-f', 'deploy/compose.yaml', ...more, 'config'],
      { cwd: directory, env: { PATH: process.env.PATH } },
    );
    assert.equal(stderr, '');
    return stdout;
  }

  test('has two replicas on PostgreSQL and S3, and only nginx publishes a port', () => {
    const started = Object.keys(services).filter((name) => !services[name]?.profiles);
    assert.deepEqual(started.toSorted(), ['berth', 'bucket', 'nginx', 'postgres', 's3']);
    assert.equal(services['berth']?.deploy?.replicas, 2);
    assert.deepEqual(
      Object.keys(services).filter((name) => services[name]?.ports !== undefined),
      ['nginx'],
    );
    assert.match(services['berth']?.environment['DATABASE_URL'] ?? '', /^postgres:\/\/berth:s{32}@postgres\/berth$/);
    assert.equal(services['berth']?.environment['S3_ACCESS_KEY_ID'], services['s3']?.environment['ROOT_ACCESS_KEY']);
    assert.equal(
      services['berth']?.environment['S3_SECRET_ACCESS_KEY'],
      services['s3']?.environment['ROOT_SECRET_KEY'],
    );
  });

  test('leaves the metrics on the port of the image, which nginx does not forward', () => {
    const { environment } = services['berth']!;
    for (const name of ['PORT', 'METRICS_PORT', 'METRICS']) assert.equal(environment[name], undefined, name);
    assert.deepEqual(readFileSync(join(repositoryRoot, 'deploy/nginx.conf'), 'utf8').match(/server [\d.]+:\d+/g), [
      'server 127.0.0.1:8080',
    ]);
  });

  test('starts each service once its dependencies are healthy', () => {
    for (const [name, { depends_on: dependencies = {} }] of Object.entries(services)) {
      for (const [dependency, { condition }] of Object.entries(dependencies)) {
        assert.equal(condition, dependency === 'bucket' ? 'service_completed_successfully' : 'service_healthy', name);
        // The image of Berth has its own health check.
        if (dependency !== 'bucket' && dependency !== 'berth')
          assert.ok(services[dependency]?.healthcheck, dependency);
      }
    }
  });

  test('drops privileges of all services', () => {
    for (const [name, service] of Object.entries(services)) {
      assert.deepEqual(service.cap_drop, ['ALL'], name);
      assert.deepEqual(service.security_opt, ['no-new-privileges:true'], name);
      assert.equal(service.init, true, name);
      assert.ok(!/:latest$/.test(service.image), name);
    }
    for (const name of ['berth', 'nginx', 's3']) assert.equal(services[name]?.read_only, true, name);
    assert.deepEqual(services['berth']?.volumes, undefined);
  });

  test('gives Berth more time to stop than its shutdown grace period', () => {
    const { default: graceSeconds = '' } =
      configReference().find(({ name }) => name === 'SHUTDOWN_GRACE_SECONDS') ?? {};
    assert.ok(Number.parseInt(services['berth']?.stop_grace_period ?? '', 10) > Number(graceSeconds));
  });

  test('fails when a secret is missing', async () => {
    for (const name of ['POSTGRES_PASSWORD', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY']) {
      await assert.rejects(
        readConfig(FILLED.replace(new RegExp(`^${name}=.*`, 'm'), '')),
        new RegExp(`Missing mandatory value.*${name}.*fill in berth.env`, 's'),
      );
    }
  });

  test('backs up on demand, with the settings of the server, into a volume of its own', async () => {
    const config = parse(await readConfig(FILLED, ['--profile', 'backup'])) as { services: Record<string, Service> };
    const { berth, backup } = config.services;
    assert.deepEqual(backup?.environment, berth?.environment);
    assert.deepEqual([backup?.entrypoint, backup?.command], [['berth', 'backup', '/backup/berth'], ['--quiet']]);
    assert.deepEqual(backup?.volumes, ['backup:/backup:rw']);
    assert.deepEqual([backup.deploy?.replicas, backup.restart], [undefined, 'no']);
    for (const name of ['read_only', 'cap_drop', 'security_opt', 'depends_on'] as const)
      assert.deepEqual(backup[name], berth?.[name], name);
    // Docker gives a new volume to the owner of its folder in the image.
    assert.match(readFileSync(join(repositoryRoot, 'Dockerfile'), 'utf8'), /install -d -o 10001 .* \/backup /);
  });

  test('gives secrets in files, with the additions of the deployment guide', async () => {
    const guide = readFileSync(join(repositoryRoot, 'docs/guides/deployment.md'), 'utf8');
    const [, additions = ''] = /```yaml\n(services:\n[^]*?)```/.exec(guide) ?? [];
    writeFileSync(join(directory, 'deploy/secrets.yaml'), additions);
    writeFileSync(join(directory, 'deploy/auth_secret'), 'a secret');
    const config = parse(
      await readConfig(FILLED.replace(/^AUTH_SECRET=.*\n/m, ''), ['-f', 'deploy/secrets.yaml']),
    ) as {
      services: Record<string, Service>;
      secrets: Record<string, { file: string }>;
    };
    const { environment = {}, secrets } = config.services['berth'] ?? {};
    assert.deepEqual(
      [environment['AUTH_SECRET'], environment['AUTH_SECRET_FILE']],
      [undefined, '/run/secrets/auth_secret'],
    );
    assert.deepEqual(secrets, [{ source: 'auth_secret' }]);
    assert.match(config.secrets['auth_secret']?.file ?? '', /\/auth_secret$/);
  });

  test('runs nginx with an adapted deploy/nginx.conf', () => {
    const [, , script = ''] = services['nginx']?.command ?? [];
    const [command = ''] = script.split(' > ');
    const original = readFileSync(join(repositoryRoot, 'deploy/nginx.conf'), 'utf8');
    const adapted = execFileSync(
      'sh',
      ['-c', command.replace('/etc/berth/nginx.conf', '"$1"'), 'sh', join(repositoryRoot, 'deploy/nginx.conf')],
      { encoding: 'utf8' },
    );
    assert.equal(
      adapted,
      original.replace('server 127.0.0.1:8080;', 'server berth:8080;').replace('listen 80;', 'listen 8080;'),
    );
    assert.notEqual(adapted, original);
  });
});

describe('deploy/berth.env.example', () => {
  test('contains only settings of Berth and the password of PostgreSQL', () => {
    const known = new Set([...configReference().map(({ name }) => name), 'POSTGRES_PASSWORD']);
    assert.deepEqual(
      variables.filter((name) => !known.has(name)),
      [],
    );
  });

  test('contains every secret that replicas share', () => {
    for (const name of ['API_KEYS_SALT', 'CIPHER_PASSWORD', 'AUTH_SECRET']) assert.ok(variables.includes(name), name);
  });
});
