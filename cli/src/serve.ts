// `berth serve`: runs the server in this process.

import { UsageError, type Command } from './command.ts';
import { formatHelp } from './help.ts';
import { loadServer } from './load-server.ts';

const DESCRIPTION = `Runs the server until SIGTERM or Ctrl-C. Settings are environment variables (PORT, DATA_DIR,
PUBLIC_URL, …), or the same names in the JSON or YAML file that BERTH_CONFIG names.`;

export const serve: Command = {
  summary: 'run the server',
  help: () => formatHelp({ usage: 'serve', description: DESCRIPTION }),
  async run(parameters) {
    if (parameters.length > 0)
      throw new UsageError(`unexpected ${parameters.join(' ')}: settings are environment variables`);
    const { serve: serveProcess } = await loadServer();
    await serveProcess(process.env);
  },
};
