// What the situations of the troubleshooting guide need: registries, the command, folders. Each is started for the
// first situation that needs it, and all are stopped together.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { startTestServer, type TestServer, type TestServerOptions } from '../../../api/test/support/test-server.ts';
import { repositoryRoot } from '../../../scripts/runtime.ts';

/** Provokes a situation, and returns what is printed or answered. The key is the heading in the guide. */
export type Situations = Record<string, (stage: Stage) => Promise<string>>;

export interface CommandOptions {
  cwd?: string;
  env?: Record<string, string>;
}

/** Name of the registry in the guides; answers and output contain the address of a test server in its place. */
const EXAMPLE = 'https://registry.example.org';
/** The folder of the server's data in the guides. */
const EXAMPLE_DATA = '/var/lib/berth';

export class Stage {
  readonly folder = mkdtempSync(join(tmpdir(), 'berth-situations-'));
  readonly #servers: TestServer[] = [];
  readonly #endings: (() => Promise<unknown>)[] = [];
  #registry: Promise<TestServer> | undefined;

  /** The registry of all situations that need nothing special. */
  registry(): Promise<TestServer> {
    return (this.#registry ??= this.start());
  }

  /** Starts a further registry. */
  async start(options?: TestServerOptions): Promise<TestServer> {
    const server = await startTestServer(options);
    this.#servers.push(server);
    return server;
  }

  /** Registers what must be stopped in the end. */
  atEnd(stop: () => Promise<unknown>): void {
    this.#endings.push(stop);
  }

  /** Runs the command as a user does, and returns all that it prints. */
  async berth(words: string[], { cwd = this.folder, env = {} }: CommandOptions = {}): Promise<string> {
    return this.run(process.execPath, [join(repositoryRoot, 'cli/bin/berth.js'), ...words], { cwd, env });
  }

  /** Runs a program and returns all that it prints. */
  async run(program: string, words: string[], { cwd = this.folder, env = {} }: CommandOptions = {}): Promise<string> {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(BERTH_|GITHUB_|CI_|XDG_)/.test(name));
    const child = spawn(program, words, {
      cwd,
      env: { ...Object.fromEntries(inherited), HOME: this.folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    return this.withExampleNames(stdout + stderr);
  }

  /** Starts a server that is expected to fail, and returns what it prints. `DATA_DIR` is empty by default. */
  serve(env: Record<string, string>): Promise<string> {
    return this.berth(['serve'], { env: { PORT: '0', DATA_DIR: join(this.folder, 'data'), ...env } });
  }

  /** Returns status and body of an answer, as `curl -i` shows them. */
  async answer(response: Response): Promise<string> {
    return this.withExampleNames(`${response.status} ${await response.text()}`);
  }

  /** Replaces the addresses and folders of the tests by those of the guides. */
  withExampleNames(output: string): string {
    return this.#servers
      .reduce((shown, { url }) => shown.replaceAll(url, EXAMPLE), output)
      .replaceAll(join(this.folder, 'data'), EXAMPLE_DATA);
  }

  async end(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()));
    for (const stop of this.#endings) await stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
