import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { npmTarball } from '../../api/test/support/tarball-builder.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, edit, publish, startRegistry, type Registry } from './support/registry.ts';
import { DESKTOP, signIn, visit, withBrowser } from './support/visitor.ts';

/** Scripts in every place of a README. `window.owned` is set if one runs. */
const HOSTILE_MARKDOWN = [
  '# <img src=x onerror="window.owned=1">\n\n',
  '<script>window.owned = 2</script><svg onload="window.owned=3"></svg>',
  '<iframe srcdoc="<script>parent.owned=4</script>"></iframe>\n',
  '<a href="javascript:window.owned=5" id="content" class="v-overlay" style="position:fixed;inset:0">click me</a> ',
  '[and me](javascript:window.owned=6)\n',
  '<form action="https://evil.example"><input name=x><button>send</button></form> <style>body{display:none}</style>\n',
  '![picture](https://evil.example/pixel.png) <base href="https://evil.example/">',
  '<math><mi//xlink:href="data:x,<script>window.owned=7</script>">\n',
].join('');

describe('the page of a hostile artefact', () => {
  withBrowser();
  let registry: Registry;
  before(async () => {
    registry = await startRegistry();
    await publish(registry, 'hostile@1', {
      file: await npmTarball({
        name: 'hostile',
        manifest: { license: '<script>window.owned=8</script>' },
        files: {
          'README.md': HOSTILE_MARKDOWN,
          'page.html': '<script>window.owned=9</script>',
          'a&b "c\'<img src=x onerror=window.owned=10>.txt': 'odd name',
        },
      }),
    });
    await edit(registry, 'hostile@1', {
      public: true,
      title: { en: '<img src=x onerror=window.owned=11>{{owned=12}}' },
    });
    const svg = Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" onload="window.owned=14"><script>window.owned=15</script></svg>',
    );
    const form = new FormData();
    form.set('file', new Blob([svg], { type: 'image/svg+xml' }), 'x.svg');
    const response = await fetch(`${registry.url}/api/v1/artefacts/hostile@1/thumbnail`, {
      method: 'POST',
      headers: registry.internal,
      body: form,
    });
    assert.equal(response.status, 201, await response.text());
  });
  after(() => registry.close());

  test('runs no script that an artefact contains', async () => {
    const visitor = await visit(registry, DESKTOP);
    await signIn(visitor.context, registry, ADMIN_EMAIL, ADMIN_PASSWORD);
    const { page, open } = visitor;
    const isOwned = () => page.evaluate(() => (window as { owned?: number }).owned);
    for (const tab of ['overview', 'use', 'packages', 'files', 'manage', 'files&file=page.html']) {
      await open(`artefacts/hostile%401?tab=${tab}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.waitForLoadState('networkidle');
      assert.equal(await isOwned(), undefined, tab);
    }
    await page.getByText('window.owned=9').waitFor();
    await open('artefacts/hostile%401');
    await page.getByText('click me').click();
    await page.getByText('and me').click();
    assert.equal(await isOwned(), undefined);
    assert.equal(
      await page
        .locator('.readme :is(script, iframe, form, input, style, svg, img, [style], [id], [class], [onerror])')
        .count(),
      0,
    );
    for (const path of [
      'api/v1/artefacts/hostile%401/files/page.html',
      'api/v1/artefacts/hostile%401/readme',
      'api/v1/artefacts/hostile%401/thumbnail',
    ]) {
      await open(path).catch(() => undefined);
      assert.equal(await isOwned(), undefined, path);
    }
    await open('');
    const violations = await page.evaluate(async () => {
      const script = document.createElement('script');
      script.textContent = 'window.owned = 16';
      document.body.append(script);
      return (window as { owned?: number }).owned;
    });
    assert.equal(violations, undefined);
    await visitor.context.close();
  });
});
