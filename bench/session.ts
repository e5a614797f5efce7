// What the check of a session adds to a request: the same small answer without a session and with one, one request
// after another on one connection, by turns, in each way to sign in and on both databases.

import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { SECRETS, signIn, startBerth } from './support/berth-process.ts';
import { runBench, type Bench } from './support/bench.ts';
import type { Claim } from './support/claims.ts';
import { startIdentityService } from './support/identity-service.ts';
import { startPostgres } from './support/postgres.ts';
import { median } from './support/statistics.ts';

/** Asks for nothing but who calls. */
const PATH = '/api/v1/sign-in';
const BAR_MS = 0.2;

if (import.meta.main) await runBench(measureSessions);

async function measureSessions({ directory, sizes, say }: Bench): Promise<Claim[]> {
  const { runs, requests } = sizes({ full: { runs: 5, requests: 4000 }, small: { runs: 1, requests: 200 } });
  const measured: Claim[] = [];
  const measure = async (what: string, url: string, cookie: string): Promise<void> => {
    say(what);
    await added(url, cookie, requests);
    const ours: number[] = [];
    for (let run = 0; run < runs; run++) ours.push(await added(url, cookie, requests));
    measured.push({
      claim: `session: what its check adds to a request at the median, ${what}`,
      unit: 'ms',
      ours,
      bar: { atMost: BAR_MS },
    });
  };

  {
    await using berth = await startBerth(join(directory, 'sqlite'));
    await measure('users of its own, on SQLite', berth.url, (await signIn(berth.url)).cookie);
  }
  {
    await using postgres = await startPostgres();
    await using berth = await startBerth(join(directory, 'postgres'), { ...SECRETS, DATABASE_URL: postgres.url });
    await measure('users of its own, on PostgreSQL', berth.url, (await signIn(berth.url)).cookie);
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

/** Median of the requests with a session, less that of those without, in milliseconds. */
async function added(url: string, cookie: string, requests: number): Promise<number> {
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
      if (response.statusCode !== 200) reject(new Error(`${PATH} was answered with ${response.statusCode}`));
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
