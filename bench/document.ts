// Random documents of 10,000 artefacts on SQLite, beside a minimal Fastify route and beside a packument of Verdaccio.
// Berth runs with its defaults: metrics, and one log line per request.

import { join } from 'node:path';
import { startNodePeer } from './peers/node-peer.ts';
import { publishPackage, startVerdaccio } from './peers/verdaccio.ts';
import { INTERNAL } from './support/berth-process.ts';
import { runBench, type Bench } from './support/bench.ts';
import { FIRST_COPY, nameOf } from './support/catalogue.ts';
import type { Claim } from './support/claims.ts';
import { startFilledBerth } from './support/filled-berth.ts';
import { requestsPerSecond, writePaths } from './support/load.ts';
import { takeTurns } from './support/turns.ts';

/** Releases per major version in a registry that keeps every version, where Berth has one ref. */
const RELEASES = 10;

if (import.meta.main) await runBench(measureDocuments);

async function measureDocuments({ directory, sizes, log }: Bench): Promise<Claim[]> {
  const { runs, artefacts, seconds } = sizes({
    full: { runs: 5, artefacts: 10_000, seconds: 4 },
    small: { runs: 1, artefacts: 500, seconds: 1 },
  });
  log(`documents of ${artefacts} artefacts`);
  const ids = Array.from({ length: artefacts - FIRST_COPY }, (_unused, index) =>
    encodeURIComponent(nameOf(FIRST_COPY + index).id),
  );

  await using berth = await startFilledBerth(join(directory, 'berth'), artefacts);
  await using trivial = await startNodePeer('trivial-fastify', directory);
  await using verdaccio = await startVerdaccio(join(directory, 'verdaccio'));
  const paths = {
    berth: await writePaths(
      join(directory, 'berth.txt'),
      ids.map((id) => `/api/v1/artefacts/${id}`),
    ),
    trivial: await writePaths(
      join(directory, 'trivial.txt'),
      ids.map((id) => `/artefacts/${id}`),
    ),
    verdaccio: await writePaths(join(directory, 'verdaccio.txt'), [
      await publishPackage(verdaccio, '@bench/plugin', RELEASES),
    ]),
  };
  const rates = await takeTurns(runs, {
    berth: () => requestsPerSecond({ url: berth.url, pathsFile: paths.berth, headers: INTERNAL, seconds }),
    trivial: () => requestsPerSecond({ url: trivial.url, pathsFile: paths.trivial, seconds }),
    verdaccio: () => requestsPerSecond({ url: verdaccio.url, pathsFile: paths.verdaccio, seconds }),
  });
  return [
    {
      claim: `document: GET /artefacts/:id of ${artefacts}, beside a trivial Fastify route`,
      unit: 'requests/s',
      ours: rates.berth,
      peer: rates.trivial,
      bar: { atLeast: 0.25 },
    },
    {
      claim: `document: GET /artefacts/:id of ${artefacts}, beside Verdaccio's packument`,
      unit: 'requests/s',
      ours: rates.berth,
      peer: rates.verdaccio,
      bar: { atLeast: 6 },
    },
  ];
}
