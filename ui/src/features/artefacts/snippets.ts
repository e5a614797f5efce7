import { registryUrl } from '../../api/client.ts';
import type { Artefact } from '../../api/types.ts';

const REGISTRY = registryUrl.href.replace(/\/$/, '');

/** Quotes a text for a shell, where it needs that. */
function quoted(text: string): string { return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll('\'', '\'\\\'\'')}'`; }

/** What to copy to use or publish an artefact of this registry, ready to run. */
export function snippetsOf({ _id: id, format }: Pick<Artefact, '_id' | 'format'>) {
  const url = `${REGISTRY}/api/v1/artefacts/${encodeURIComponent(id)}/download`;
  const publish = format === 'npm' ? `berth publish --id ${quoted(id)}` : `berth upload FILE --id ${quoted(id)}`;
  return {
    curl: `curl -fLOJ -H "x-api-key: $BERTH_API_KEY" ${quoted(url)}`,
    node: `import { ${format === 'file' ? 'ensureArtefactFile' : 'ensureArtefact'} } from '@berth-registry/lib-node';

const { path } = await ${format === 'file' ? 'ensureArtefactFile' : 'ensureArtefact'}({
  registryUrl: '${REGISTRY}',
  apiKey: process.env.BERTH_API_KEY,
  artefactId: ${JSON.stringify(id)},
  cacheDir: 'data/artefacts',
});`,
    cli: `export BERTH_URL=${quoted(REGISTRY)}\nberth pull ${quoted(id)}`,
    github: `- run: npx @berth-registry/cli ${publish.slice('berth '.length)}
  env:
    BERTH_URL: ${REGISTRY}
    BERTH_API_KEY: \${{ secrets.BERTH_API_KEY }}`,
    gitlab: `publish:
  image: node:24
  variables:
    BERTH_URL: ${REGISTRY}
  script:
    - npx @berth-registry/cli ${publish.slice('berth '.length)}`,
  };
}
