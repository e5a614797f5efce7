// The schema of the configuration: every setting by the name of its environment variable, in the order of
// docs/reference/configuration.md.

import { Type, type Static } from 'typebox';
import { accountSettings } from './account-settings.ts';
import { artefactSettings } from './artefact-settings.ts';
import { defaultOf, describeSetting, isSecret } from './schema-text.ts';
import { outboundSettings } from './outbound-settings.ts';
import { serverSettings } from './server-settings.ts';
import { storageSettings } from './storage-settings.ts';

export const ConfigSchema = Type.Object(
  { ...serverSettings, ...storageSettings, ...artefactSettings, ...accountSettings, ...outboundSettings },
  { additionalProperties: false },
);

export type Settings = Static<typeof ConfigSchema>;
export type Config = Settings & { PUBLIC_URL: string };

/** Lists every setting for docs/reference/configuration.md. */
export function configReference(): { name: string; default: string; description: string; isSecret: boolean }[] {
  return Object.entries(ConfigSchema.properties).map(([name, schema]) => {
    const value = defaultOf(schema);
    return {
      name,
      default: Array.isArray(value) ? value.join(',') : `${(value as string | number | boolean | undefined) ?? ''}`,
      description: describeSetting(schema),
      isSecret: isSecret(schema),
    };
  });
}
