// Synchronisations that fail.

import { addRemote, type RemoteClient } from '../../../api/test/remotes/pair.ts';
import type { TestServer } from '../../../api/test/support/test-server.ts';
import type { Situations, Stage } from './stage.ts';

const TILES = ['france', 'spain', 'italy'];
const UNKNOWN_KEY = 'reg_0123456789abcdef0123456789abcdef0123456789a';

interface Mirror {
  upstream: TestServer;
  mirror: TestServer;
  remote: RemoteClient;
}

/** Starts an original with public tilesets and a mirror that selects them all. Nothing is mirrored yet. */
async function startMirror(stage: Stage, givenKey?: string): Promise<Mirror> {
  const [upstream, mirror] = await Promise.all([stage.start(), stage.start()]);
  for (const id of TILES) {
    await upstream.upload(id, { format: 'file', file: Buffer.from(id), fields: { category: 'tileset' } });
    await upstream.api('PATCH', `/artefacts/${id}`, { headers: upstream.internal, body: { public: true } });
  }
  const key = givenKey ?? (await upstream.readKey({ type: 'organization', id: 'mirrors' }));
  const remote = await addRemote(mirror, upstream.url, key, { selectedPatterns: ['**'] });
  return { upstream, mirror, remote };
}

/** Synchronises, and returns what the page of the registry shows. */
async function synchronise(stage: Stage, remote: RemoteClient): Promise<string> {
  return stage.withExampleNames(JSON.stringify(await remote.sync(), null, 2));
}

export const MIRRORS: Situations = {
  'The remote registry refuses the key': async (stage) => {
    const { remote } = await startMirror(stage, UNKNOWN_KEY);
    return synchronise(stage, remote);
  },

  'Too many artefacts would be removed': async (stage) => {
    const { remote, upstream } = await startMirror(stage);
    await remote.sync();
    for (const id of TILES.slice(1))
      await upstream.api('DELETE', `/artefacts/${id}`, { headers: await upstream.superadmin() });
    return synchronise(stage, remote);
  },

  'A mirror cannot be changed': async (stage) => {
    const { remote, mirror } = await startMirror(stage);
    await remote.sync();
    return stage.answer(await mirror.upload('france', { format: 'file', file: Buffer.from('our own') }));
  },

  'The ID of a remote artefact is in use here': async (stage) => {
    const [upstream, mirror] = await Promise.all([stage.registry(), stage.start()]);
    await mirror.upload('france', { format: 'file', file: Buffer.from('our own') });
    const key = await upstream.readKey({ type: 'organization', id: 'mirrors' });
    const remote = await addRemote(mirror, upstream.url, key);
    return stage.answer(await remote.ask('POST', '/selected-artefacts', { artefactId: 'france' }));
  },
};
