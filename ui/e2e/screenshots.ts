// `npm run screenshots`: takes the screenshots of README.md and docs/guides/web-interface.md.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { npmTarball } from '../../api/test/support/tarball-builder.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { asAdmin, edit, HELLO, publish, publishHello, startRegistry, type Registry } from './support/registry.ts';
import { buildPmtiles } from './support/pmtiles-builder.ts';

const PAGES: { name: string; path: string; width?: number; colorScheme?: 'dark'; locale?: 'fr' }[] = [
  { name: 'browse', path: '' },
  { name: 'browse-phone', path: '', width: 390, colorScheme: 'dark', locale: 'fr' },
  { name: 'artefact', path: `artefacts/${encodeURIComponent(HELLO)}` },
  { name: 'manage', path: `artefacts/${encodeURIComponent(HELLO)}?tab=manage` },
  { name: 'dashboard', path: 'admin' },
  { name: 'remote', path: 'admin/remotes/' },
];

const registry = await startRegistry({ path: '' });
const upstream = await startRegistry({ path: '' });
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-background-networking'],
});
try {
  await fill(registry, upstream);
  const folder = join(repositoryRoot, 'docs/images');
  await mkdir(folder, { recursive: true });
  const { cookie = '' } = await registry.superadmin();
  for (const { name, path, width = 1280, colorScheme = 'light', locale = 'en' } of PAGES) {
    const context = await browser.newContext({
      viewport: { width, height: 800 },
      colorScheme,
      locale,
      reducedMotion: 'reduce',
    });
    await context.addCookies(
      cookie
        .split('; ')
        .map((pair) => ({ name: pair.split('=')[0] ?? '', value: pair.split('=')[1] ?? '', url: registry.pages })),
    );
    const page = await context.newPage();
    await page.goto(registry.pages + (name === 'remote' ? path + encodeURIComponent(upstream.url) : path));
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.waitForTimeout(1500);
    await page.screenshot({ path: join(folder, `${name}.png`) });
    await context.close();
    console.log(`docs/images/${name}.png`);
  }
} finally {
  await browser.close();
  await Promise.all([registry.close(), upstream.close()]);
}

async function fill(registry: Registry, upstream: Registry): Promise<void> {
  const files = [
    ['@acme/import-gpkg@1', 'Import of GeoPackages', 'Import de GeoPackage', 'processing'],
    [
      '@acme/import-gpkg@main',
      'Import of GeoPackages, branch main',
      'Import de GeoPackage, branche main',
      'processing',
    ],
    ['@acme/catalog-ckan@2', 'CKAN catalogue', 'Catalogue CKAN', 'catalog'],
    ['@acme/data-stories@3', 'Data stories', 'Histoires de données', 'application'],
  ] as const;
  for (const [id, en, fr, category] of files) {
    await publish(registry, id, {
      file: await npmTarball({ name: id.slice(0, id.lastIndexOf('@')), version: '1.4.2' }),
      fields: { category, title: JSON.stringify({ en, fr }) },
    });
    await edit(registry, id, { public: id.includes('import') });
  }
  await publish(registry, 'world.pmtiles', {
    format: 'file',
    fileName: 'world.pmtiles',
    file: buildPmtiles(),
    fields: { category: 'tileset', title: JSON.stringify({ en: 'The world', fr: 'Le monde' }) },
  });
  await publishHello(registry);
  for (const id of ['@up/geocoder@1', '@up/routing@2']) {
    await publish(upstream, id, { format: 'file', file: Buffer.alloc(2_000_000, id) });
    await edit(upstream, id, { public: true });
  }
  const apiKey = await upstream.readKey({ type: 'organization', id: 'mirror' });
  await asAdmin(registry, 'POST', '/remote-registries', {
    url: upstream.url,
    name: 'Production',
    apiKey,
    selectedPatterns: ['@up/*'],
    schedule: '0 3 * * *',
  });
  await asAdmin(registry, 'POST', `/remote-registries/${encodeURIComponent(upstream.url)}/sync`);
  await asAdmin(registry, 'POST', '/api-keys', {
    type: 'upload',
    name: 'CI of import-gpkg',
    allowedNamePrefix: '@acme/import-gpkg@',
    expiresAt: new Date(Date.now() + 10 * 86_400_000).toISOString().slice(0, 10),
  });
}
