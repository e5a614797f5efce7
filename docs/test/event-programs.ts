// The programs of the guide on events, as services run them, and what they work on: a cache and a chat room for each.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { repositoryRoot } from '../../scripts/runtime.ts';

/** How each kind of file is run. */
const RUNNERS: Record<string, string> = { mjs: process.execPath, py: 'python3', sh: 'sh' };
/** A fenced block that begins with a comment of a file name. */
const PROGRAM = /^```(?:js|python|sh)\n(?:#|\/\/) (\S+)\n[^]*?^```$/gm;

export interface Running {
  /** What it has printed so far. */
  output(): string;
  /** Kills it and what it has started, as a power cut would. */
  kill(): Promise<void>;
}

/** Reads the programs of the guide by their file names. */
export async function readPrograms(): Promise<Map<string, string>> {
  const guide = await readFile(join(repositoryRoot, 'docs/guides/events.md'), 'utf8');
  return new Map(
    [...guide.matchAll(PROGRAM)].map(([block, name = '']) => [name, block.split('\n').slice(1, -1).join('\n')]),
  );
}

/** Puts the clients of this repository where an installation would: other tests install them as the guides say. */
export async function installClients(home: string): Promise<void> {
  const [programs, packages] = [join(home, '.local/bin'), join(home, 'node_modules/@berth-registry')];
  for (const folder of [programs, packages]) await mkdir(folder, { recursive: true });
  await symlink(join(repositoryRoot, 'lib-node'), join(packages, 'lib-node'));
  const command = `#!/bin/sh\nexec '${process.execPath}' '${join(repositoryRoot, 'cli/bin/berth.js')}' "$@"\n`;
  await writeFile(join(programs, 'berth'), command, { mode: 0o755 });
}

/** Runs a program in its folder until it is killed. */
export function start(file: string, cwd: string, env: Record<string, string>, words: string[] = []): Running {
  const runner = RUNNERS[file.split('.').at(-1) ?? ''] ?? '';
  const child = spawn(runner, [join(cwd, '..', file), ...words], {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return {
    output: () => output,
    async kill() {
      const isRunning = child.exitCode === null && child.signalCode === null;
      if (child.pid !== undefined && isRunning) process.kill(-child.pid, 'SIGKILL');
      await ended;
    },
  };
}

/** A cache with an entry for each artefact. */
export interface Cache {
  folder: string;
  fill(): Promise<void>;
  /** IDs of the entries that are there. */
  entries(): string[];
}

export async function createCache(folder: string, ids: readonly string[]): Promise<Cache> {
  const pathOf = (id: string) => join(folder, `${encodeURIComponent(id)}.json`);
  await mkdir(folder);
  return {
    folder,
    async fill() {
      await Promise.all(ids.map((id) => writeFile(pathOf(id), '{}')));
    },
    entries: () => ids.filter((id) => existsSync(pathOf(id))),
  };
}

export interface Chat {
  /** Address of the incoming webhook of a room. */
  webhook(room: string): string;
  /** Texts by room, in the order of their arrival. */
  texts(room: string): string[];
  /** How often a message was refused, by room. */
  refusals(room: string): number;
  /** While true, messages are refused with 503. */
  isDown: boolean;
  stop(): Promise<void>;
}

/** A chat with incoming webhooks that take `{"text"}`. */
export async function startChat(): Promise<Chat> {
  const texts = new Map<string, string[]>();
  const refusals = new Map<string, number>();
  const server = createServer((request, response) => {
    const room = request.url?.slice(1) ?? '';
    let body = '';
    request.setEncoding('utf8').on('data', (part: string) => (body += part));
    request.on('end', () => {
      const isMessage = request.method === 'POST' && request.headers['content-type'] === 'application/json';
      if (!isMessage || chat.isDown) refusals.set(room, chat.refusals(room) + 1);
      else texts.set(room, [...chat.texts(room), (JSON.parse(body) as { text: string }).text]);
      response.writeHead(chat.isDown ? 503 : isMessage ? 200 : 400).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const chat: Chat = {
    webhook: (room) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${room}`,
    texts: (room) => texts.get(room) ?? [],
    refusals: (room) => refusals.get(room) ?? 0,
    isDown: false,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return chat;
}
