// `berth token`: one upload key for several commands of a job, since an identity token can be exchanged only once.

import { ABOUT_REGISTRY, CLIENT_OPTIONS, CLIENT_TEXTS, resolveRegistry } from './client.ts';
import { defineCommand } from './command.ts';
import { escapeValue, print } from './terminal.ts';
import { withUploadKey } from './pipeline.ts';

export const token = defineCommand({
  summary: 'get an upload key for a pipeline job',
  usage: 'token [--id ID] [--url URL] [--json]',
  description: `Exchanges the identity token of the job (GitHub: id-token: write; GitLab: BERTH_ID_TOKEN) for an
upload key that is valid for an hour, and prints only the key. berth publish and berth upload do this by
themselves: use this command when one job runs several of them.

${ABOUT_REGISTRY}`,
  options: { url: CLIENT_OPTIONS.url, json: CLIENT_OPTIONS.json, id: { type: 'string' } },
  optionTexts: {
    id: 'ID of the artefact, if the job matches several trusted publishers',
    url: CLIENT_TEXTS.url,
    json: CLIENT_TEXTS.json,
  },
  examples: { 'export BERTH_API_KEY="$(berth token)"': 'for the following commands of the job' },
  async run({ id, json, ...values }) {
    const { registryUrl } = resolveRegistry(values);
    const { apiKey } = await withUploadKey({ registryUrl }, id);
    if (apiKey === undefined)
      throw new Error(
        'no identity token found: on GitHub the job needs permissions: id-token: write, on GitLab id_tokens: ' +
          'BERTH_ID_TOKEN',
      );
    print(json ? JSON.stringify({ key: apiKey }) : escapeValue(apiKey));
  },
});
