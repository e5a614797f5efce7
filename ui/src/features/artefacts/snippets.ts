import { registryUrl } from '../../api/client.ts';
import type { Artefact, Client } from '../../api/types.ts';

const REGISTRY = registryUrl.href.replace(/\/$/, '');

/** Quotes a text for a shell if necessary. */
function shellQuote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** URL of a client, below that of this page. It has the version because npx caches packages by URL. */
function clientUrl(name: Client['name'], clients: Client[]): string {
  return shellQuote(`${REGISTRY}/clients/${clients.find((client) => client.name === name)?.version}/${name}.tgz`);
}

/**
 * Returns commands and code that use or publish an artefact of this registry, ready to run.
 *
 * @param clients the clients that the registry serves
 */
export function snippetsOf({ _id: id, format }: Pick<Artefact, '_id' | 'format'>, clients: Client[]) {
  const url = `${REGISTRY}/api/v1/artefacts/${encodeURIComponent(id)}/download`;
  // npm 12 installs from a URL only with this flag.
  const berth = `npx --yes --allow-remote=root --package=${clientUrl('cli', clients)} berth`;
  const publish =
    format === 'npm' ? `${berth} publish --id ${shellQuote(id)}` : `${berth} upload FILE --id ${shellQuote(id)}`;
  return {
    curl: `curl -fLOJ -H "x-api-key: $BERTH_API_KEY" ${shellQuote(url)}`,
    install: `npm install --allow-remote=root ${clientUrl('lib-node', clients)}`,
    node: `import { ${format === 'file' ? 'ensureArtefactFile' : 'ensureArtefact'} } from '@berth-registry/lib-node';

const { path } = await ${format === 'file' ? 'ensureArtefactFile' : 'ensureArtefact'}({
  registryUrl: '${REGISTRY}',
  apiKey: process.env.BERTH_API_KEY,
  artefactId: ${JSON.stringify(id)},
  cacheDir: 'data/artefacts',
});`,
    cli: `export BERTH_URL=${shellQuote(REGISTRY)}\n${berth} pull ${shellQuote(id)}`,
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
