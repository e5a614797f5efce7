import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { configReference } from '../../api/src/config/index.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';

/**
 * Highest exposure that systemd rates as OK, out of 100
 * (https://www.freedesktop.org/software/systemd/man/systemd-analyze.html).
 */
const MAX_EXPOSURE = 30;

describe('deploy/berth.service', () => {
  const source = readFileSync(join(repositoryRoot, 'deploy/berth.service'), 'utf8');
  const directory = mkdtempSync(join(tmpdir(), 'berth-service-'));
  const file = join(directory, 'berth.service');
  after(() => {
    rmSync(directory, { recursive: true });
  });
  // systemd checks that the program exists, and Node may be installed elsewhere on this machine.
  writeFileSync(file, source.replace('/usr/bin/node', process.execPath));
  const valueOf = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(source)?.[1] ?? '';

  test('is valid according to systemd', () => {
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });
    assert.deepEqual([status, stdout, stderr], [0, '', '']);
  });

  test('takes secrets as credentials, with the additions of the deployment guide', () => {
    const guide = readFileSync(join(repositoryRoot, 'docs/guides/deployment.md'), 'utf8');
    const [, additions = ''] = /```ini\n(\[Service\]\n[^]*?)```/.exec(guide) ?? [];
    assert.match(additions, /^LoadCredential=([\w-]+):.*\nEnvironment=(\w+)_FILE=%d\/\1$/m);
    const [, name = ''] = /(\w+)_FILE=/.exec(additions) ?? [];
    assert.equal(configReference().find((setting) => setting.name === name)?.isSecret, true);
    const withSecrets = join(directory, 'with-secrets.service');
    writeFileSync(withSecrets, `${readFileSync(file, 'utf8')}\n${additions}`);
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', withSecrets], { encoding: 'utf8' });
    assert.deepEqual([status, stdout, stderr], [0, '', '']);
  });

  test('is sandboxed well enough for the exposure limit', () => {
    execFileSync('systemd-analyze', ['security', '--offline=true', `--threshold=${MAX_EXPOSURE}`, file], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  });

  test('starts the server with the command of package.json', () => {
    const { scripts } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as {
      scripts: { start: string };
    };
    // It also checks the version of Node, which may be another one than that of `npm ci`.
    assert.equal(valueOf('ExecStart'), scripts.start.replace(/^.*exec node/, '/usr/bin/node'));
  });

  test('stores its data where nginx.conf expects the blobs', () => {
    assert.match(valueOf('Environment'), /DATA_DIR=\/var\/lib\/berth( |$)/);
    assert.equal(valueOf('StateDirectory'), 'berth');
    assert.match(readFileSync(join(repositoryRoot, 'deploy/nginx.conf'), 'utf8'), /alias \/var\/lib\/berth\/blobs\/;/);
  });

  test('gives the server more time to stop than its shutdown grace period', () => {
    const graceSeconds = configReference().find(({ name }) => name === 'SHUTDOWN_GRACE_SECONDS')?.default;
    assert.ok(Number(valueOf('TimeoutStopSec')) > Number(graceSeconds));
  });
});

describe('deploy/berth-backup.service and its timer', () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-backup-units-'));
  after(() => {
    rmSync(directory, { recursive: true });
  });
  const read = (name: string) => readFileSync(join(repositoryRoot, 'deploy', name), 'utf8');
  const [service, server] = [read('berth-backup.service'), read('berth.service')];
  // systemd checks that the program exists.
  writeFileSync(join(directory, 'berth-backup.service'), service.replaceAll('/opt/berth', repositoryRoot));
  writeFileSync(join(directory, 'berth-backup.timer'), read('berth-backup.timer'));
  const linesOf = (text: string, pattern: RegExp) => text.split('\n').filter((line) => pattern.test(line));

  test('are valid according to systemd', () => {
    for (const name of ['berth-backup.service', 'berth-backup.timer']) {
      const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', join(directory, name)], {
        encoding: 'utf8',
      });
      assert.deepEqual([status, stdout, stderr], [0, '', ''], name);
    }
  });

  test('have the sandbox and the settings of the server', () => {
    const sandbox =
      /^(User|Group|EnvironmentFile|Capabilit|Lock|NoNew|Private|Protect|Remove|Restrict|SystemCall|UMask)/;
    const ofServer = linesOf(server, sandbox).filter((line) => !line.startsWith('Restart'));
    assert.ok(ofServer.length > 20);
    assert.deepEqual(linesOf(service, sandbox), ofServer);
    const variables = (text: string) => /^Environment=(.*)$/m.exec(text)?.[1]?.split(' ') ?? [];
    for (const variable of variables(service)) assert.ok(variables(server).includes(variable), variable);
  });

  test('write the backup into the folder that the guide prepares', () => {
    const [, folder = ''] = /^ExecStart=\S+ (\S+)/m.exec(service) ?? [];
    assert.match(service, new RegExp(`^ReadWritePaths=/var/lib/berth ${folder}$`, 'm'));
    const guide = readFileSync(join(repositoryRoot, 'docs/guides/backup.md'), 'utf8');
    assert.ok(guide.includes(`\ninstall -d -o berth -g berth -m 700 ${folder}\n`));
  });
});
