// Reads the BERTH_CONFIG file: JSON or YAML with the names of the settings.

import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { ConfigError } from './config-error.ts';
import { ConfigSchema } from './schema.ts';
import { isSecret, SECRET_FILE_SUFFIX } from './schema-text.ts';

/** @throws ConfigError for a file that cannot be read, and for an unknown setting */
export function readConfigFile(path: string): Record<string, unknown> {
  const parsed = parse(path);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new ConfigError(`BERTH_CONFIG is ${path}, but that file does not contain an object of settings.`);
  const names = Object.keys(ConfigSchema.properties);
  const unknown = Object.keys(parsed).find((name) => !names.includes(name) && !isSecretFile(name));
  if (unknown !== undefined)
    throw new ConfigError(
      `BERTH_CONFIG (${path}) has the unknown setting ${JSON.stringify(unknown).slice(1, -1)}; known settings: ` +
        `${names.join(', ')}.`,
    );
  return parsed as Record<string, unknown>;
}

/** Whether a name is that of a secret with the suffix _FILE. */
function isSecretFile(name: string): boolean {
  const schema = Object.entries(ConfigSchema.properties).find(([setting]) => setting + SECRET_FILE_SUFFIX === name);
  return schema !== undefined && isSecret(schema[1]);
}

function parse(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`BERTH_CONFIG is ${path}, which cannot be read: ${fileReason(error)}.`);
  }
  const document = parseDocument(text); // JSON is YAML
  // The messages of the parser quote the text, which may contain secrets.
  const [problem] = [...document.errors, ...document.warnings];
  const position = problem?.linePos?.[0];
  if (problem)
    throw new ConfigError(
      `BERTH_CONFIG is ${path}, which cannot be read as JSON or YAML` +
        `${position ? `: see line ${position.line}, column ${position.col}` : ''}.`,
    );
  try {
    return document.toJS();
  } catch {
    throw new ConfigError(
      `BERTH_CONFIG is ${path}, which cannot be read as JSON or YAML: a value that begins with * must be quoted.`,
    );
  }
}

/** The system's reason why a file cannot be read: `no such file or directory`. */
export function fileReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^[A-Z]+: /, '').split(/[,\n]/, 1)[0] ?? '';
}
