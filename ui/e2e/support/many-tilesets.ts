// A registry with enough artefacts to test paging and filters.

import { edit, publish, publishHello, startRegistry, type Registry } from './registry.ts';

/** Starts it with 30 tilesets (one deprecated), an artefact with long texts, and the sample plug-in, all public. */
export async function startWithTilesets(): Promise<Registry> {
  const registry = await startRegistry();
  for (let index = 0; index < 30; index++) {
    const id = `tiles-${String(index).padStart(2, '0')}`;
    await publish(registry, id, { format: 'file', file: Buffer.from(id), fields: { category: 'tileset' } });
    await edit(registry, id, { public: true });
  }
  const longName = `@acme/${'very-long-name-'.repeat(12)}@1`;
  const fields = {
    category: 'other',
    title: JSON.stringify({ en: 'x'.repeat(300), fr: 'y'.repeat(300) }),
    description: JSON.stringify({ en: 'A long text. '.repeat(100) }),
  };
  await publish(registry, longName, { format: 'file', file: Buffer.from('long'), fields });
  await edit(registry, longName, { public: true });
  await publishHello(registry);
  await edit(registry, 'tiles-00', { deprecated: true });
  return registry;
}
