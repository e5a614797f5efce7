// The browse page over 100,000 artefacts in a browser: Lighthouse scores for desktop and mobile, and the time from a
// keystroke to the search result on the screen.

import { join } from 'node:path';
import lighthouse, { desktopConfig, type Config } from 'lighthouse';
import { chromium } from 'playwright-core';
import { signIn } from './support/berth-process.ts';
import { runBench, type Bench } from './support/bench.ts';
import { FIRST_COPY, nameOf } from './support/catalogue.ts';
import type { Claim } from './support/claims.ts';
import { startFilledBerth } from './support/filled-berth.ts';
import { freePort, type ServerProcess } from './support/processes.ts';
import { median } from './support/statistics.ts';

const CHROMIUM = '/usr/bin/chromium';
const ARGUMENTS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
];
const SCORES = [
  { name: 'Lighthouse performance, desktop preset', config: desktopConfig, category: 'performance', atLeast: 95 },
  { name: 'Lighthouse accessibility, desktop preset', config: desktopConfig, category: 'accessibility', atLeast: 95 },
  { name: 'Lighthouse performance, mobile preset', config: undefined, category: 'performance', atLeast: 85 },
] as const;
const SEARCH_BAR_MS = 100;
/** Searches before the measurement: the first search of a page does one-time work. */
const WARM_UP_SEARCHES = 3;

if (import.meta.main) await runBench(measurePages);

async function measurePages({ directory, sizes, log }: Bench): Promise<Claim[]> {
  const { runs, artefacts, searches } = sizes({
    full: { runs: 5, artefacts: 100_000, searches: 20 },
    small: { runs: 1, artefacts: 500, searches: 3 },
  });
  log('filling');
  await using berth = await startFilledBerth(join(directory, 'data'), artefacts);
  const claims: Claim[] = [];
  for (const { name, config, category, atLeast } of SCORES) {
    log(name);
    const ours: number[] = [];
    for (let run = 0; run < runs; run++) ours.push(await score(berth.url, config, category));
    claims.push({
      claim: `pages: ${name}, browse page over ${artefacts} artefacts`,
      unit: 'points',
      ours,
      bar: { atLeast },
    });
  }
  log('searching');
  const ours: number[] = [];
  for (let run = 0; run < runs; run++) ours.push(await search(berth, run * searches, searches));
  claims.push({
    claim: `pages: keystroke to search result on screen, ${artefacts} artefacts`,
    unit: 'ms',
    ours,
    bar: { atMost: SEARCH_BAR_MS },
  });
  return claims;
}

/** Returns a score out of 100, measured in a new browser. */
async function score(
  url: string,
  config: Config | undefined,
  category: 'performance' | 'accessibility',
): Promise<number> {
  const port = await freePort();
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [...ARGUMENTS, `--remote-debugging-port=${port}`],
  });
  try {
    const result = await lighthouse(
      url,
      { port, logLevel: 'error', output: 'json', onlyCategories: [category] },
      config,
    );
    const points = result?.lhr.categories[category]?.score;
    if (typeof points !== 'number')
      throw new Error(`Lighthouse returned no score: ${result?.lhr.runtimeError?.message ?? 'unknown reason'}`);
    return points * 100;
  } finally {
    await browser.close();
  }
}

/**
 * Returns the median time of searches for words that one artefact has, in milliseconds, including the overhead of
 * driving the browser.
 */
async function search(berth: ServerProcess, from: number, searches: number): Promise<number> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
  try {
    const context = await browser.newContext({
      viewport: { width: 1440, height: 900 },
      locale: 'en',
      reducedMotion: 'reduce',
      extraHTTPHeaders: await signIn(berth.url),
    });
    const page = await context.newPage();
    await page.goto(`${berth.url}/?includeDeprecated=true`);
    const field = page.getByRole('searchbox', { name: 'Search' });
    const timeSearch = async (index: number) => {
      const { id, idWord } = nameOf(FIRST_COPY + index);
      const startedAt = performance.now();
      await field.fill(idWord);
      await page.getByText(id).waitFor();
      return performance.now() - startedAt;
    };
    for (let number = 0; number < WARM_UP_SEARCHES; number++) await timeSearch(from + searches + number);
    const times: number[] = [];
    for (let number = 0; number < searches; number++) times.push(await timeSearch(from + number));
    return median(times);
  } finally {
    await browser.close();
  }
}
