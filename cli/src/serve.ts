// `berth serve`: the server in this process. It is loaded only here: the other commands work where it is not installed.

import { UsageError, type Command } from './command.ts';
import { readManifest } from './manifest.ts';

export const serve: Command = {
  summary: 'run the server',
  usage: 'Usage: berth serve',
  description: `Runs the server until SIGTERM or Ctrl-C. Its settings are environment variables (PORT, DATA_DIR, PUBLIC_URL, …), or the
same names in the JSON or YAML file that BERTH_CONFIG names.`,
  async run(parameters) {
    if (parameters.length > 0) throw new UsageError(`${parameters.join(' ')} is not understood, since settings are environment variables`);
    refuseOlderNode();
    const { serve: serveProcess } = await loadServer();
    await serveProcess(process.env);
  },
};

function refuseOlderNode(): void {
  const minimum = readManifest().engines.node.replace('>=', '');
  if (process.versions.node.localeCompare(minimum, 'en', { numeric: true }) < 0) throw new Error(`the server needs Node ${minimum} or later, and this is ${process.version}`);
}

async function loadServer() {
  try {
    return await import('@berth/api');
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND' && error.message.includes('\'@berth/api\'');
    throw isMissing ? new Error('the server is not installed here: npm install @berth/api', { cause: error }) : error;
  }
}
