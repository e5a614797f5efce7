// Runs an unpacked plug-in like a worker of the platform: loads it and passes the context that it expects.

import { createRequire } from 'node:module';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

interface Plugin {
  run(context: Record<string, unknown>): Promise<void>;
}
interface HttpClientFactory {
  create(options: { baseURL: string; proxy: false }): unknown;
}

export interface PluginRun {
  /** Folder of the unpacked package. */
  path: string;
  /** Folder for files of the plug-in. */
  workDir: string;
  platformUrl: string;
  say: (text: string) => void;
}

/** Runs the plug-in to its end, with the axios from its own tarball. */
export async function runPlugin({ path, workDir, platformUrl, say }: PluginRun): Promise<void> {
  const requireInPlugin = createRequire(join(path, 'package.json'));
  const plugin = requireInPlugin(path) as Plugin;
  const axios = requireInPlugin('axios') as HttpClientFactory;
  await mkdir(workDir, { recursive: true });
  await plugin.run({
    pluginConfig: { pluginMessage: 'Hello from Berth,' },
    processingConfig: { datasetMode: 'create', dataset: { id: 'hello', title: 'Hello world' }, message: 'world!' },
    processingId: 'demo',
    dir: workDir,
    tmpDir: workDir,
    axios: axios.create({ baseURL: platformUrl, proxy: false }),
    log: createLog(say),
    patchConfig: async () => undefined,
    ws: { waitForJournal: async () => undefined },
    sendMail: async () => undefined,
  });
}

function createLog(say: (text: string) => void): Record<string, (...parameters: unknown[]) => Promise<void>> {
  const line = async (...words: unknown[]) => {
    say(words.join(' '));
  };
  const progress = async (task: unknown, done: unknown, total: unknown) => {
    if (Number(done) % 25 === 0) say(`${String(task)} ${String(done)}/${String(total)}`);
  };
  return { step: line, task: line, info: line, debug: line, warning: line, error: line, progress };
}
