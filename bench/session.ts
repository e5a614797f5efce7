// Overhead of checking a session: the same small response with and without a session, alternately on one connection,
// for each kind of users and on both databases.

import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { SECRETS, signIn, startBerth } from './support/berth-process.ts';
import { runBench, type Bench } from './support/bench.ts';
import type { Claim } from './support/claims.ts';
import { startIdentityService } from './support/identity-service.ts';
import { startPostgres } from './support/postgres.ts';
import { median } from './support/statistics.ts';

/** Route that only resolves the caller. */
const PATH = '/api/v1/sign-in';
const BAR_MS = 0.2;

if (import.meta.main) await runBench(measureSessions);

async function measureSessions({ directory, sizes, log }: Bench): Promise<Claim[]> {
  const { runs, requests } = sizes({ full: { runs: 5, requests: 4000 }, small: { runs: 1, requests: 200 } });
  const measured: Claim[] = [];
  const measure = async (what: string, url: string, cookie: string): Promise<void> => {
    log(what);
    await overheadMs(url, cookie, requests);
    const ours: number[] = [];
    for (let run = 0; run < runs; run++) ours.push(await overheadMs(url, cookie, requests));
    measured.push({
      claim: `session: overhead of its check per request (median), ${what}`,
      unit: 'ms',
      ours,
      bar: { atMost: BAR_MS },
    });
  };

  {
    await using berth = await startBerth(join(directory, 'sqlite'));
    await measure('local users, on SQLite', berth.url, (await signIn(berth.url)).cookie);
  }
  {
    await using postgres = await startPostgres();
    await using berth = await startBerth(join(directory, 'postgres'), { ...SECRETS, DATABASE_URL: postgres.url });
    await measure('local users, on PostgreSQL', berth.url, (await signIn(berth.url)).cookie);
  }
  {
    await using identityService = await startIdentityService();
    await using berth = await startBerth(join(directory, 'directory'), {
      AUTH_MODE: 'simple-directory',
      DIRECTORY_URL: identityService.url,
    });
    const { cookie } = identityService.cookies({
      id: 'uma',
      name: 'Uma',
      organizations: [{ id: 'acme', role: 'admin' }],
    });
    await measure('users of an identity service, on SQLite', berth.url, cookie);
  }
  return measured;
}

/** Returns the median time with a session minus that without, in milliseconds. */
async function overheadMs(url: string, cookie: string, requests: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times: { without: number[]; with: number[] } = { without: [], with: [] };
  try {
    for (let number = 0; number < requests; number++) {
      times.without.push(await time(agent, url, {}));
      times.with.push(await time(agent, url, { cookie }));
    }
  } finally {
    agent.destroy();
  }
  return median(times.with) - median(times.without);
}

function time(agent: Agent, url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    request(`${url}${PATH}`, { agent, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${PATH} got status ${response.statusCode}`));
      response
        .resume()
        .on('end', () => {
          resolve(performance.now() - startedAt);
        })
        .on('error', reject);
    })
      .on('error', reject)
      .end();
  });
}
