import { readFileSync } from 'node:fs';

/** Which Berth this is. */
export interface BuildInfo {
  version: string;
  commit?: string;
  date?: string;
}

/** Reads the version of the package, and what the image's build left in the environment. */
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
