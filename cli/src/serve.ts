// `berth serve`: the server in this process.

import { UsageError, type Command } from './command.ts';
import { loadServer } from './load-server.ts';

export const serve: Command = {
  summary: 'run the server',
  usage: 'Usage: berth serve',
  description: `Runs the server until SIGTERM or Ctrl-C. Its settings are environment variables (PORT, DATA_DIR, PUBLIC_URL, …), or the
same names in the JSON or YAML file that BERTH_CONFIG names.`,
  async run(parameters) {
    if (parameters.length > 0)
      throw new UsageError(`${parameters.join(' ')} is not understood, since settings are environment variables`);
    const { serve: serveProcess } = await loadServer();
    await serveProcess(process.env);
  },
};
