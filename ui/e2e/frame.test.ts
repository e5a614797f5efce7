import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import type { Frame, Page } from 'playwright-core';
import { eventually } from '../../api/test/support/eventually.ts';
import { startPlatform, type Platform } from './support/platform.ts';
import { edit, HELLO, publish, publishHello } from './support/registry.ts';
import { DESKTOP, journey, withBrowser } from './support/visitor.ts';

declare global {
  interface Window {
    /** Messages that the platform's page has received. */
    received: unknown[];
    /** Targets of the messages that the frame has sent. */
    targets?: unknown[];
    originalPostMessage?: typeof window.postMessage;
  }
}

const ROOT = '/data-fair/admin/registry/';

const received = (page: Page) => page.evaluate(() => window.received);
/** The last breadcrumbs that the platform's page has received. */
const crumbs = async (page: Page) =>
  (await received(page)).flatMap((message) => (message as { breadcrumbs?: object[] }).breadcrumbs ?? []);
const contentOf = async (page: Page, platform: Platform): Promise<Frame> => {
  await page.waitForSelector('d-frame >> iframe');
  return eventually(async () => {
    const frame = page.frames().find((it) => it.url().startsWith(platform.registry.pages));
    assert.ok(frame);
    return frame;
  });
};

describe('in a frame of the platform', () => {
  withBrowser();
  let platform: Platform;
  before(async () => {
    platform = await startPlatform({ frameAncestors: (otherUrl) => `'self' ${otherUrl}` });
    await publishHello(platform.registry);
    await publish(platform.registry, 'other', { format: 'file', file: Buffer.from('x') });
    await edit(platform.registry, 'other', { public: true });
  });
  after(() => platform.close());

  journey(
    'the address, the breadcrumbs and the notices follow, and so does the back button',
    () => platform.registry,
    async ({ page, t }) => {
      await page.addInitScript(() => {
        const { parent } = window;
        // Only in the loaded frame, so that messages are still sent by its window.
        if (parent === window || location.protocol === 'about:') return;
        const deliver = (parent.originalPostMessage ??= parent.postMessage);
        parent.postMessage = (message: unknown, target: unknown) => {
          (parent.targets ??= []).push(target);
          deliver.call(parent, message, { targetOrigin: String(target) });
        };
      });
      platform.frame = `src="/registry/" sync-path="${ROOT}" sync-params resize="no" height="100vh"`;
      await page.goto(`${platform.url}${ROOT}`);
      const frame = await contentOf(page, platform);
      const at = (path: string) =>
        page.waitForURL((url) => (url.pathname + url.search).replaceAll('@', '%40') === ROOT + path);
      const artefact = `artefacts/${encodeURIComponent(HELLO)}`;

      await frame.locator('.v-card').filter({ hasText: HELLO }).click();
      await at(artefact);
      const title = await frame.getByRole('heading', { level: 1 }).innerText();
      await eventually(async () =>
        assert.deepEqual((await crumbs(page)).slice(-2), [{ text: t('browse.title'), to: '/' }, { text: title }]),
      );
      await frame.getByRole('link', { name: t('artefact.use') }).click();
      await at(`${artefact}?tab=use`);
      await page.goBack();
      await at(artefact);
      await frame
        .locator('.tab.active')
        .filter({ hasText: t('artefact.overview') })
        .waitFor();
      await page.goBack();
      await at('');
      await frame.getByRole('heading', { level: 1, name: t('browse.title') }).waitFor();
      await page.goForward();
      await at(artefact);
      await frame.getByRole('heading', { level: 1, name: title }).waitFor();

      // A bookmark of the registry that Berth replaces: its redirect comes before the platform answers.
      await page.goto(`${platform.url}${ROOT}admin/artefacts/other?tab=manage`);
      await at('artefacts/other?tab=manage');
      const manage = await contentOf(page, platform);
      await manage.getByLabel(t('curation.titleIn', { language: t('curation.english') })).fill('Another');
      await manage
        .locator('form')
        .filter({ hasText: t('curation.metadata') })
        .getByRole('button', { name: t('common.save') })
        .click();
      await eventually(async () =>
        assert.deepEqual(
          (await received(page)).filter((message) => (message as unknown[])[1] === 'notif'),
          [['df-child', 'notif', { type: 'success', title: t('common.saved') }]],
        ),
      );
      assert.equal(await manage.getByText(t('common.saved'), { exact: true }).count(), 0);

      const kinds = (await received(page)).filter(Array.isArray).map(([, kind]) => kind as unknown);
      assert.deepEqual(
        kinds.filter((kind) => kind === 'init' || kind === 'ready'),
        ['init', 'ready'],
      );
      assert.ok(!kinds.includes('height'));
      assert.deepEqual(await page.evaluate(() => [...new Set(window.targets)]), [platform.url]);
    },
    { as: 'superadmin' },
  );

  journey(
    'of another site the frame fits the content, and grows and shrinks with it',
    () => platform.registry,
    async ({ page, context, t }) => {
      platform.frame = `src="${platform.registry.pages}" sync-path="${ROOT}" sync-params resize="yes"`;
      await page.goto(`${platform.otherUrl}${ROOT}`);
      const frame = await contentOf(page, platform);
      await frame.getByRole('heading', { level: 1, name: t('browse.title') }).waitFor();
      const fits = () =>
        eventually(async () => {
          const outer = await page.locator('d-frame >> iframe').boundingBox();
          const [inner = 0, scroll = 0] = await frame.evaluate(() => [
            document.querySelector('#content > div')?.getBoundingClientRect().bottom,
            document.documentElement.scrollHeight - document.documentElement.clientHeight,
          ]);
          assert.ok(Math.abs((outer?.height ?? 0) - inner) <= 1, `${outer?.height} ${inner}`);
          assert.ok(scroll <= 1, String(scroll));
          return outer?.height ?? 0;
        });
      const list = await fits();
      await frame.locator('.v-card').filter({ hasText: HELLO }).click();
      await page.waitForURL((url) => url.pathname.startsWith(`${ROOT}artefacts/`));
      await frame.getByRole('heading', { level: 1 }).waitFor();
      await eventually(async () => assert.ok((await fits()) > list + 100));
      await page.goBack();
      await frame.getByRole('heading', { level: 1, name: t('browse.title') }).waitFor();
      await eventually(async () => assert.ok(Math.abs((await fits()) - list) <= 1));
      await context.close();
    },
  );

  journey(
    'nobody but the platform leads it anywhere, and the platform only within the registry',
    () => platform.registry,
    async ({ page, problems }) => {
      // Frames beside it, of the parent's site and of another one, try what only the parent may do.
      platform.pages.set(
        '/data-fair/sibling',
        `<script>
          onmessage = ({ data }) => {
            parent.frames[0].postMessage(data, '*');
            parent.postMessage('sent by ' + location.origin, '*');
          };
          parent.postMessage('loaded from ' + location.origin, '*');
        </script>`,
      );
      platform.pages.set(
        '/data-fair/parent',
        `<!doctype html><title>parent</title><link rel="icon" href="data:,">
        <script>
          window.received = [];
          const options = { id: 'x', resize: 'no', syncPath: true, syncParams: true };
          addEventListener('message', ({ data, source }) => {
            received.push(data);
            if (data[1] === 'init') source.postMessage(['df-parent', 'init', options], '*');
          });
        </script>
        <iframe src="${platform.registry.pages}"></iframe>
        <iframe src="${platform.url}/data-fair/sibling"></iframe>
        <iframe src="${platform.otherUrl}/data-fair/sibling"></iframe>`,
      );
      await page.goto(`${platform.url}/data-fair/parent`);
      const has = (wanted: string) =>
        eventually(async () =>
          assert.ok(
            (await received(page)).some((message) => String(message).startsWith(wanted)),
            wanted,
          ),
        );
      await has('df-child,ready');
      for (const origin of [platform.url, platform.otherUrl]) await has(`loaded from ${origin}`);
      const frame = page.frames().find((it) => it.url().startsWith(platform.registry.pages));
      assert.ok(frame);
      const before = frame.url();
      const { pathname } = new URL(before);
      const hostile: unknown[] = [
        'javascript:document.title=1',
        `data:text/html,x`,
        'https://evil.example/registry/',
        '//evil.example/registry/',
        `${platform.otherUrl}${pathname}admin`,
        `http://user:pass@evil.example${pathname}admin`,
        '/',
        '/data-fair/',
        `${pathname}../data-fair/`,
        `${pathname}%2e%2e/data-fair/`,
        pathname.replace(/\/$/, '-other/'),
        `blob:${platform.registry.pages}admin`,
        '\\\\evil.example',
        'http://[',
        5,
        null,
        { href: `${pathname}admin` },
      ];
      const messages = [
        ...hostile.map((src) => ['df-parent', 'updateSrc', src]),
        ...[null, 5, 'updateSrc', [], ['df-parent'], {}, ['df-parent', 'init', null]],
        ['df-child', 'updateSrc', `${pathname}admin`],
      ];
      await page.evaluate((all) => {
        for (const message of all) window.frames[0]?.postMessage(message, '*');
      }, messages);
      // From a window that is not the parent, whatever it asks for.
      await page.evaluate(
        (message) => [1, 2].forEach((index) => window.frames[index]?.postMessage(message, '*')),
        ['df-parent', 'updateSrc', `${pathname}sign-in`],
      );
      for (const origin of [platform.url, platform.otherUrl]) await has(`sent by ${origin}`);
      // Messages arrive in order: once this one has had its effect, the others have had theirs.
      await page.evaluate(
        (src) => window.frames[0]?.postMessage(['df-parent', 'updateSrc', src], '*'),
        `${pathname}artefacts/other`,
      );
      await frame.waitForURL((url) => url.pathname === `${pathname}artefacts/other`);
      await eventually(async () => {
        const moves = (await received(page)).filter((message) => (message as unknown[])[1] === 'stateChange');
        assert.deepEqual(
          moves.map((message) => new URL((message as string[])[3] ?? '').pathname),
          [`${pathname}artefacts/other`],
        );
      });
      assert.deepEqual(problems.splice(0), []);
    },
    { variants: [DESKTOP] },
  );
});
