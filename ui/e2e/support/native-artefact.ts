// A plug-in with native code, install scripts, a bundled package and a configuration schema.

import { npmTarball } from '../../../api/test/support/tarball-builder.ts';
import { edit, publish, type Registry } from './registry.ts';

/** Publishes `native@1`, public and deprecated, with the slots `x64` and, with names for Linux only, `arm64`. */
export async function publishNative(registry: Registry): Promise<void> {
  const schema = {
    type: 'object',
    required: ['city'],
    properties: {
      city: { type: 'string', title: 'City', description: 'Where to look' },
      depth: { type: 'integer', default: 3 },
      live: { type: 'boolean', title: 'Live' },
      mode: { enum: ['fast', 'slow'] },
    },
  };
  await publish(registry, 'native@1', {
    fields: { architecture: 'arm64' },
    file: await npmTarball({
      name: '@acme/native',
      version: '2.0.1',
      files: { 'index.js': '', 'Index.js': '', 'a:b': '' },
    }),
  });
  await publish(registry, 'native@1', {
    fields: { architecture: 'x64' },
    file: await npmTarball({
      name: '@acme/native',
      version: '2.0.0',
      manifest: {
        license: 'MIT',
        scripts: { install: 'node-gyp rebuild' },
        bundleDependencies: ['addon'],
        registry: { category: 'processing', processingConfigSchema: schema },
      },
      files: {
        'index.js': 'exports.run = 1;\n',
        'lib/deep/file.txt': 'deep inside',
        'data.bin': Buffer.from([0, 1, 2, 255]),
        'node_modules/addon/package.json': {
          name: 'addon',
          version: '1.1.1',
          license: 'ISC',
          scripts: { install: 'node-gyp rebuild' },
        },
        'node_modules/addon/binding.gyp': '{}',
      },
    }),
  });
  await edit(registry, 'native@1', {
    public: true,
    deprecated: true,
    documentation: 'https://example.org/native?a=%3Cscript%3E',
  });
}
