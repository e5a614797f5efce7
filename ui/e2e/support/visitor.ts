// Somebody with a browser, in one of the languages, at a desk or with a phone. Whatever a page reports as an error,
// and whatever the content security policy stops, fails the test.

import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { pick } from '../../../api/test/support/combinations.ts';
import { account } from '../../src/i18n/messages/account.ts';
import { admin } from '../../src/i18n/messages/admin.ts';
import { artefact } from '../../src/i18n/messages/artefact.ts';
import { browse } from '../../src/i18n/messages/browse.ts';
import { common } from '../../src/i18n/messages/common.ts';
import { curation } from '../../src/i18n/messages/curation.ts';
import { publishers } from '../../src/i18n/messages/publishers.ts';
import { remotes } from '../../src/i18n/messages/remotes.ts';
import { signing } from '../../src/i18n/messages/signing.ts';
import type { Registry } from './registry.ts';

export interface Variant {
  language: 'en' | 'fr';
  width: 1440 | 390;
}

const STRAIGHT: readonly Variant[] = [
  { language: 'en', width: 1440 },
  { language: 'fr', width: 390 },
];
const CROSSED: readonly Variant[] = [
  { language: 'fr', width: 1440 },
  { language: 'en', width: 390 },
];

/**
 * Those of a journey in this run: one that its name picks in `npm test`, each of the four once in `npm run test:full`.
 */
export function variantsOf(journeyName: string): readonly Variant[] {
  const backends = process.env['BERTH_TEST_BACKENDS'];
  if (backends === 'straight') return STRAIGHT;
  if (backends === 'crossed') return CROSSED;
  return [pick([...STRAIGHT, ...CROSSED], journeyName)];
}

/** A desk in English, for what does not depend on language and width. */
export const AT_A_DESK: Variant = { language: 'en', width: 1440 };

const texts = { account, admin, artefact, browse, common, curation, publishers, remotes, signing };
type Key = {
  [Feature in keyof typeof texts]: `${Feature}.${keyof (typeof texts)[Feature] & string}`;
}[keyof typeof texts];

export interface Visitor {
  /** What pages have reported as errors; a test that is about one takes it out. */
  problems: string[];
  page: Page;
  context: BrowserContext;
  variant: Variant;
  /** A text of the pages in the visitor's language. */
  t(key: Key, values?: Record<string, string>): string;
  /** Opens a page below the registry: `artefacts/x`. */
  open(path: string): Promise<void>;
  /** Picks an option of a select field. */
  choose(label: string, option: string): Promise<void>;
  /** Fails when axe finds anything on the page as it is now. */
  assertAccessible(): Promise<void>;
  /** Responses with an error that this test is about. */
  expectFailures(): void;
}

/** Defines a test for each variant; each has a browser profile of its own. */
export function journey(
  name: string,
  registry: () => Registry,
  run: (visitor: Visitor, t: TestContext) => Promise<void>,
  {
    as = 'anonymous',
    variants = variantsOf(name),
  }: { as?: 'anonymous' | 'superadmin'; variants?: readonly Variant[] } = {},
): void {
  for (const variant of variants) {
    test(`${name} (${variant.language}, ${variant.width} px)`, async (t) => {
      const visitor = await visit(registry(), variant);
      try {
        if (as === 'superadmin') await takeSession(visitor.context, registry());
        await run(visitor, t);
        assert.deepEqual(visitor.problems, []);
      } catch (error) {
        await visitor.page
          .screenshot({ path: `${process.env['TMPDIR'] ?? '/tmp'}/berth-failed-page.png` })
          .catch(() => undefined);
        throw error;
      } finally {
        await visitor.context.close();
      }
    });
  }
}

let browser: Browser | undefined;

/** Starts the browser before the tests of a file, and ends it after them. */
export function withBrowser(): void {
  before(async () => {
    browser = await chromium.launch({
      executablePath: process.env['BERTH_TEST_CHROMIUM'] ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-dev-shm-usage',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-quic',
        '--use-gl=swiftshader',
        '--enable-unsafe-swiftshader',
      ],
    });
  });
  after(() => browser?.close());
}

/** A visit outside of `journey`, to be closed by whoever made it. */
export async function visit({ pages }: Pick<Registry, 'pages'>, variant: Variant): Promise<Visitor> {
  assert.ok(browser, 'withBrowser() comes first');
  // Each comes from elsewhere: what is limited by address is not what most tests are about.
  const address = `10.${[0, 0, 0].map(() => Math.floor(Math.random() * 256)).join('.')}`;
  const context = await browser.newContext({
    baseURL: pages,
    locale: variant.language,
    viewport: { width: variant.width, height: variant.width === 390 ? 844 : 900 },
    reducedMotion: 'reduce',
    permissions: ['clipboard-read', 'clipboard-write'],
    extraHTTPHeaders: { 'x-forwarded-for': address },
  });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const problems: string[] = [];
  let expectsFailures = false;
  page.on('pageerror', ({ message }) => problems.push(message));
  page.on('console', (message) => {
    if (message.type() !== 'error') return;
    // An artefact without a README is no fault.
    const isExpected = expectsFailures || message.location().url.endsWith('/readme');
    if (!(isExpected && message.text().startsWith('Failed to load resource'))) problems.push(message.text());
  });
  return {
    page,
    context,
    variant,
    problems,
    t(key, values = {}) {
      const [feature, name] = key.split('.') as [keyof typeof texts, string];
      const pair = (texts[feature] as Record<string, readonly [string, string]>)[name];
      assert.ok(pair, key);
      return Object.entries(values).reduce(
        (text, [hole, value]) => text.replace(`{${hole}}`, value),
        pair[variant.language === 'en' ? 0 : 1],
      );
    },
    async open(path) {
      await page.goto(new URL(path, pages).href);
    },
    async choose(label, option) {
      // Its input lies below what it shows.
      await page
        .getByRole('combobox', { name: label, exact: true })
        .locator('xpath=ancestor::*[contains(concat(" ", @class, " "), " v-field ")][1]')
        .click();
      // By its key: a list that still finds its place may move from under a pointer.
      await page.getByRole('option', { name: option, exact: true }).press('Enter');
    },
    async assertAccessible() {
      await page.getByRole('heading', { level: 1 }).waitFor();
      const { violations } = await new AxeBuilder({ page }).analyze();
      assert.deepEqual(
        violations.map(({ id, nodes }) => [
          id,
          ...nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`),
        ]),
        [],
        page.url(),
      );
      assert.ok(
        await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth),
        `${page.url()} is wider than the screen`,
      );
    },
    expectFailures() {
      expectsFailures = true;
    },
  };
}

/** Gives the browser the superadmin's session. */
async function takeSession(context: BrowserContext, registry: Registry): Promise<void> {
  const { cookie = '' } = await registry.superadmin();
  await context.addCookies(
    cookie.split('; ').map((pair) => {
      const [name = '', value = ''] = pair.split('=');
      return { name, value, url: registry.pages };
    }),
  );
}

/** Gives the browser a session of a user without the page for it, for tests that are about something else. */
export async function signIn(
  context: BrowserContext,
  { pages }: Pick<Registry, 'pages'>,
  email: string,
  password: string,
): Promise<void> {
  const response = await context.request.post(`${pages}api/auth/sign-in/email`, { data: { email, password } });
  assert.equal(response.status(), 200, await response.text());
}
