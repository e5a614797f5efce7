// `berth token`: one key for several commands of a job, whose identity token serves once.

import { ABOUT_REGISTRY, CLIENT_OPTIONS, CLIENT_TEXTS, resolveRegistry } from './client.ts';
import { defineCommand } from './command.ts';
import { print } from './interruptible.ts';
import { withUploadKey } from './pipeline.ts';

export const token = defineCommand({
  summary: 'get a key for the job of a pipeline',
  usage: 'token [--id ID] [--url URL] [--json]',
  description: `Exchanges the identity token of the job (GitHub: id-token: write; GitLab: BERTH_ID_TOKEN) for an upload key that holds for an hour, and
prints it alone. berth publish and berth upload do it by themselves; this is for several of them in one job.\n\n${ABOUT_REGISTRY}`,
  options: { url: CLIENT_OPTIONS.url, json: CLIENT_OPTIONS.json, id: { type: 'string' } },
  optionTexts: {
    id: 'of the artefact, where the job may be one of several trusted publishers',
    url: CLIENT_TEXTS.url,
    json: CLIENT_TEXTS.json,
  },
  examples: { 'export BERTH_API_KEY="$(berth token)"': 'before several commands' },
  async run({ id, json, ...values }) {
    const { registryUrl } = resolveRegistry(values);
    const { apiKey } = await withUploadKey({ registryUrl }, id);
    if (apiKey === undefined)
      throw new Error(
        'there is no identity token: on GitHub the job needs permissions: id-token: write, on GitLab id_tokens: ' +
          'BERTH_ID_TOKEN',
      );
    print(json ? JSON.stringify({ key: apiKey }) : apiKey);
  },
});
