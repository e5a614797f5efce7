import { readFileSync } from 'node:fs';

/** Version of the running server. */
export interface BuildInfo {
  version: string;
  commit?: string;
  date?: string;
}

/** Reads the version from package.json, and commit and date from the environment that the image build sets. */
export function readBuildInfo(env: NodeJS.ProcessEnv): BuildInfo {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return {
    version,
    ...(env['BERTH_COMMIT'] && { commit: env['BERTH_COMMIT'] }),
    ...(env['BERTH_DATE'] && { date: env['BERTH_DATE'] }),
  };
}
