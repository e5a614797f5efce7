import { registryUrl } from '../../api/client.ts';
import type { Artefact, Client } from '../../api/types.ts';

const REGISTRY = registryUrl.href.replace(/\/$/, '');

/** Quotes a text for a shell, where it needs that. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Where a client is, below the address of this page; with the version, since npx keeps what it had for an address. */
function addressOf(name: Client['name'], clients: Client[]): string {
  return quoted(`${REGISTRY}/clients/${clients.find((it) => it.name === name)?.version}/${name}.tgz`);
}

/**
 * What to copy to use or publish an artefact of this registry, ready to run.
 *
 * @param clients those that the registry serves
 */
export function snippetsOf({ _id: id, format }: Pick<Artefact, '_id' | 'format'>, clients: Client[]) {
  const url = `${REGISTRY}/api/v1/artefacts/${encodeURIComponent(id)}/download`;
  // npm 12 asks to be allowed to install from an address.
  const berth = `npx --yes --allow-remote=root --package=${addressOf('cli', clients)} berth`;
  const publish = format === 'npm' ? `${berth} publish --id ${quoted(id)}` : `${berth} upload FILE --id ${quoted(id)}`;
  return {
    curl: `curl -fLOJ -H "x-api-key: $BERTH_API_KEY" ${quoted(url)}`,
    install: `npm install --allow-remote=root ${addressOf('lib-node', clients)}`,
    node: `import { ${format === 'file' ? 'ensureArtefactFile' : 'ensureArtefact'} } from '@berth-registry/lib-node';

const { path } = await ${format === 'file' ? 'ensureArtefactFile' : 'ensureArtefact'}({
  registryUrl: '${REGISTRY}',
  apiKey: process.env.BERTH_API_KEY,
  artefactId: ${JSON.stringify(id)},
  cacheDir: 'data/artefacts',
});`,
    cli: `export BERTH_URL=${quoted(REGISTRY)}\n${berth} pull ${quoted(id)}`,
    github: `- run: ${publish}
  env:
    BERTH_URL: ${REGISTRY}
    BERTH_API_KEY: \${{ secrets.BERTH_API_KEY }}`,
    gitlab: `publish:
  image: node:24
  variables:
    BERTH_URL: ${REGISTRY}
  script:
    - ${publish}`,
  };
}
