// Compares the secrets with the database when a server starts: with other secrets, its keys, sessions and second
// factors would stop working without a word.

import { ConfigError, type Config } from './config/index.ts';
import type { Database } from './db/index.ts';
import { fingerprintRepository, hasFingerprint, type Fingerprints } from './fingerprints/index.ts';
import {
  BOUND_TO_DATA,
  fingerprintsOf,
  secretsFile,
  storeGenerated,
  type BoundSecret,
  type FoundSecrets,
} from './secrets.ts';

/** Secrets that rows depend on and that are not known any more. */
export interface LostSecrets {
  /** Neither set nor stored. */
  missing: BoundSecret[];
  /** Set or stored with another value. */
  different: BoundSecret[];
}

/**
 * Accepts the secrets of a start, unless rows in the database depend on others. Then stores those that were generated,
 * and the fingerprints of all. If several replicas start first, one decides, and those with other secrets are refused.
 * @throws ConfigError that says which secrets are missing or different, and what to do
 */
export async function acceptSecrets(config: Config, database: Database, found: FoundSecrets): Promise<void> {
  const fingerprints = fingerprintRepository(database.db);
  const stored = await fingerprints.list();
  const isUsed = Object.keys(stored).length > 0 || (await fingerprints.hasDependentRows());
  if (isUsed) assertNothingLost(config, lostSecrets(stored, found));
  storeGenerated(config, found);
  if (BOUND_TO_DATA.every((name) => stored[name] !== undefined)) return;
  await fingerprints.add(fingerprintsOf(found.values));
  assertNothingLost(config, lostSecrets(await fingerprints.list(), { ...found, generated: [] }));
}

export function lostSecrets(stored: Fingerprints, { values, generated }: FoundSecrets): LostSecrets {
  const missing = BOUND_TO_DATA.filter((name) => generated.includes(name));
  const different = BOUND_TO_DATA.filter(
    (name) => !missing.includes(name) && !hasFingerprint(stored, name, values[name]),
  );
  return { missing, different };
}

function assertNothingLost(config: Config, { missing, different }: LostSecrets): void {
  const problems = [
    ...(missing.length > 0
      ? [`${listOf(missing)} ${missing.length === 1 ? 'is' : 'are'} neither set nor in ${secretsFile(config)}`]
      : []),
    ...(different.length > 0
      ? [`${listOf(different)} ${different.length === 1 ? 'has' : 'have'} another value than before`]
      : []),
  ];
  if (problems.length === 0) return;
  const isOne = missing.length + different.length === 1;
  const [values, them, they] = isOne ? ['value', 'it', 'it is'] : ['values', 'them', 'they are'];
  throw new ConfigError(
    `${problems.join(', and ')}, but data in the database depends on the previous ${values}: restore ${them} from ` +
      'the secrets.json of a backup or from the settings of an earlier start; ' +
      `if ${they} lost, run berth secrets reset.`,
  );
}

const listOf = (names: readonly string[]) => names.join(', ').replace(/, (?=[^,]*$)/, ' and ');
