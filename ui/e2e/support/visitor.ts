// A visitor with a browser, in one language and one screen width. Errors on the console, including violations of the
// content security policy, fail the test.

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

/** Variants of a journey in this run: one chosen by its name in `npm test`, all four in `npm run test:full`. */
export function variantsOf(journeyName: string): readonly Variant[] {
  const backends = process.env['BERTH_TEST_BACKENDS'];
  if (backends === 'straight') return STRAIGHT;
  if (backends === 'crossed') return CROSSED;
  return [pick([...STRAIGHT, ...CROSSED], journeyName)];
}

/** Distinguishes what a journey creates in one variant: `en-1440`. */
export function suffixOf({ language, width }: Variant): string {
  return `${language}-${width}`;
}

/** A host name of this machine that browsers do not take for a local one. */
export const NAMED_HOST = 'berth.test';

/** For tests that do not depend on language and width. */
export const DESKTOP: Variant = { language: 'en', width: 1440 };

const texts = { account, admin, artefact, browse, common, curation, publishers, remotes, signing };
type Key = {
  [Feature in keyof typeof texts]: `${Feature}.${keyof (typeof texts)[Feature] & string}`;
}[keyof typeof texts];

export interface Visitor {
  /** Errors that pages have reported; a test that expects one removes it. */
  problems: string[];
  page: Page;
  context: BrowserContext;
  variant: Variant;
  /** Returns a message in the visitor's language. */
  t(key: Key, values?: Record<string, string>): string;
  /** Opens a page below the registry: `artefacts/x`. */
  open(path: string): Promise<void>;
  /** Selects an option of a select field. */
  choose(label: string, option: string): Promise<void>;
  /** Confirms the open dialog with this button, after typing the phrase if it asks for one. */
  confirmDialog(button: string, phrase?: string): Promise<void>;
  /** Fails if axe finds a violation on the current page, or if the page is wider than the screen. */
  assertAccessible(): Promise<void>;
  /** Allows responses with an error status. */
  expectFailures(): void;
}

/** Defines a test for each variant, each with its own browser context. */
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
        if (as === 'superadmin') await useSuperadminSession(visitor.context, registry());
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

/** Starts the browser before the tests of a suite, and closes it after them. */
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
        `--host-resolver-rules=MAP ${NAMED_HOST} 127.0.0.1`,
        '--use-gl=swiftshader',
        '--enable-unsafe-swiftshader',
      ],
    });
  });
  after(() => browser?.close());
}

/** Opens a visit outside of `journey`; the caller closes its context. */
export async function visit({ pages }: Pick<Registry, 'pages'>, variant: Variant): Promise<Visitor> {
  assert.ok(browser, 'withBrowser() comes first');
  // A random client address for each visit, so that limits by address do not interfere.
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
    // An artefact without a README is not an error.
    const isExpected = expectsFailures || message.location().url.endsWith('/readme');
    if (!(isExpected && message.text().startsWith('Failed to load resource'))) problems.push(message.text());
  });
  const t: Visitor['t'] = (key, values = {}) => {
    const [feature, name] = key.split('.') as [keyof typeof texts, string];
    const pair = (texts[feature] as Record<string, readonly [string, string]>)[name];
    assert.ok(pair, key);
    return Object.entries(values).reduce(
      (text, [placeholder, value]) => text.replace(`{${placeholder}}`, value),
      pair[variant.language === 'en' ? 0 : 1],
    );
  };
  return {
    page,
    context,
    variant,
    problems,
    t,
    async open(path) {
      await page.goto(new URL(path, pages).href);
    },
    async choose(label, option) {
      // The displayed value covers the input.
      await page
        .getByRole('combobox', { name: label, exact: true })
        .locator('xpath=ancestor::*[contains(concat(" ", @class, " "), " v-field ")][1]')
        .click();
      // By keyboard: a list that is still being positioned may move away from the pointer.
      await page.getByRole('option', { name: option, exact: true }).press('Enter');
    },
    async confirmDialog(button, phrase) {
      const dialog = page.getByRole('dialog');
      if (phrase !== undefined) await dialog.getByLabel(t('common.typeToConfirm', { phrase })).fill(phrase);
      await dialog.getByRole('button', { name: button }).click();
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
async function useSuperadminSession(context: BrowserContext, registry: Registry): Promise<void> {
  const { cookie = '' } = await registry.superadmin();
  await context.addCookies(
    cookie.split('; ').map((pair) => {
      const [name = '', value = ''] = pair.split('=');
      return { name, value, url: registry.pages };
    }),
  );
}

/** Signs in over the API, for tests that are not about the sign-in page. */
export async function signIn(
  context: BrowserContext,
  { pages }: Pick<Registry, 'pages'>,
  email: string,
  password: string,
): Promise<void> {
  const response = await context.request.post(`${pages}api/auth/sign-in/email`, { data: { email, password } });
  assert.equal(response.status(), 200, await response.text());
}
