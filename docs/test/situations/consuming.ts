// Downloads that are refused.

import { npmTarball } from '../../../api/test/support/tarball-builder.ts';
import type { Situations, Stage } from './stage.ts';

const ID = '@acme/hello@1';

/** Publishes an artefact for one architecture, which nobody may see yet. */
async function publishHello(stage: Stage): Promise<void> {
  const registry = await stage.registry();
  const file = await npmTarball({ name: '@acme/hello' });
  await registry.upload(ID, { file, fields: { architecture: 'arm64' } });
}

/** Pulls an artefact with a read key. */
async function pull(stage: Stage, id: string, ...words: string[]): Promise<string> {
  const registry = await stage.registry();
  const env = { BERTH_URL: registry.url, BERTH_API_KEY: await registry.readKey({ type: 'organization', id: 'acme' }) };
  return stage.berth(['pull', id, ...words], { env });
}

export const CONSUMING: Situations = {
  'An artefact is not found': (stage) => pull(stage, '@acme/helo@1'),

  'An artefact is not shared with the account': async (stage) => {
    await publishHello(stage);
    const registry = await stage.registry();
    const account = JSON.stringify({ type: 'organization', id: 'initech', name: 'Initech' });
    const headers = { ...registry.internal, 'x-account': account };
    return stage.answer(await registry.api('GET', `/artefacts/${encodeURIComponent(ID)}/tarball`, { headers }));
  },

  'The account has no access grant': async (stage) => {
    const registry = await stage.registry();
    const owner = { type: 'organization', id: 'globex' };
    return stage.answer(
      await registry.api('POST', '/api-keys', {
        headers: await registry.superadmin(),
        body: { type: 'read', name: 'reader', owner },
      }),
    );
  },

  'There is no tarball for this architecture': async (stage) => {
    await publishHello(stage);
    const registry = await stage.registry();
    const path = `/artefacts/${encodeURIComponent(ID)}`;
    await registry.api('PATCH', path, { headers: registry.internal, body: { public: true } });
    return pull(stage, ID, '--architecture', 'x64');
  },

  'Events are not known any more': async (stage) => {
    const registry = await stage.registry();
    const env = {
      BERTH_URL: registry.url,
      BERTH_API_KEY: await registry.readKey({ type: 'organization', id: 'acme' }),
    };
    return stage.berth(['events', '--after', '01a230ad-beaf-780d-b052-47996a5b1eb5'], { env });
  },

  'npm does not find the client': async (stage) => {
    const { url } = await stage.registry();
    return stage.answer(await fetch(`${url}/clients/0.3.0/lib-node.tgz`));
  },
};
