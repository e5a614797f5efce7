// A registry behind a proxy whose settings are wrong.

import { startExampleNginx } from '../../../api/test/support/nginx-example.ts';
import type { Situations, Stage } from './stage.ts';

const ID = '@acme%2Fimport-gpkg@1';

/** Starts nginx with the example's file and the given mistakes, before the common registry. */
async function behind(stage: Stage, changes: Record<string, string>): Promise<string> {
  const { url } = await stage.registry();
  const nginx = await startExampleNginx({ upstreams: [url], changes });
  stage.atEnd(() => nginx.close());
  return nginx.url;
}

export const PROXIES: Situations = {
  'An ID with a slash is not found behind the proxy': async (stage) => {
    const url = await behind(stage, {
      'decode the ids.\n    proxy_pass http://berth;': 'decode the ids.\n    proxy_pass http://berth/;',
    });
    return stage.answer(await fetch(`${url}/api/v1/artefacts/${ID}`));
  },

  'The proxy refuses large uploads': async (stage) => {
    const url = await behind(stage, { 'client_max_body_size 0;': 'client_max_body_size 1m;' });
    const registry = await stage.registry();
    const form = new FormData();
    form.set('file', new Blob([new Uint8Array(2 * 1024 * 1024)]), 'large.bin');
    const headers = { 'x-api-key': await registry.uploadKey() };
    return stage.answer(await fetch(`${url}/api/v1/artefacts/file/large`, { method: 'POST', headers, body: form }));
  },

  'The browser has another address than PUBLIC_URL': async (stage) => {
    const registry = await stage.registry();
    const headers = { ...(await registry.superadmin()), origin: 'https://registry.example.com' };
    return stage.answer(await registry.api('POST', '/api-keys', { headers, body: { type: 'upload', name: 'CI' } }));
  },

  'A service sends the internal secret through the proxy': async (stage) => {
    const registry = await stage.registry();
    const headers = { ...registry.internal, 'x-forwarded-host': 'registry.example.org' };
    return stage.answer(await registry.api('GET', '/artefacts', { headers }));
  },
};
