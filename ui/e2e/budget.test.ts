import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { startRegistry, type Registry } from './support/registry.ts';
import { DESKTOP, visit, withBrowser } from './support/visitor.ts';

const MAX_SCRIPT_BYTES = 220 * 1024;

describe('the first load', () => {
  withBrowser();
  let registry: Registry;
  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.close());

  test('of the browse page takes less than 220 KiB of compressed scripts', async () => {
    const { page, open, context } = await visit(registry, DESKTOP);
    const scripts = new Set<string>();
    page.on('response', (response) => {
      if (response.request().resourceType() !== 'script') return;
      assert.equal(response.headers()['content-encoding'], 'br', response.url());
      scripts.add(new URL(response.url()).pathname.replace('/registry/', ''));
    });
    await open('');
    await page.waitForLoadState('networkidle');
    const size = [...scripts].reduce(
      (sum, path) => sum + statSync(join(repositoryRoot, 'ui/dist', `${path}.br`)).size,
      0,
    );
    assert.ok(scripts.size > 0);
    assert.ok(size < MAX_SCRIPT_BYTES, `${size} bytes`);
    await context.close();
  });

  test('loads nothing from another host', () => {
    assert.doesNotMatch(
      readFileSync(join(repositoryRoot, 'ui/dist/index.html'), 'utf8'),
      /(?:src|href)="(?:https?:)?\/\//,
    );
  });
});
