// `berth events`: lists what has happened in a registry, or follows it.

import {
  followEvents,
  listEvents,
  RegistryError,
  type BerthEvent,
  type ListEventsOptions,
} from '@berth-registry/lib-node';
import { ABOUT_REGISTRY, CLIENT_OPTIONS, CLIENT_TEXTS, resolveRegistry, type ClientValues } from './client.ts';
import { defineCommand, UsageError } from './command.ts';
import { readSecret } from './environment.ts';
import { formatEvent } from './event-line.ts';
import { runInterruptibly } from './interruptible.ts';
import { print, printNext, warn } from './terminal.ts';

const NAME = 'events';
/** The registry's limit. */
const MAX_ARTEFACTS = 100;

/** What to do, by the code of the registry's refusal. */
const REFUSALS: Readonly<Record<string, string>> = {
  events_gone:
    'the events after this one are not known any more: read what you follow again, such as with berth ls, and go on ' +
    'with --after latest',
  route_not_found: 'this registry has no events: ask its operator to upgrade it',
  // Of a command without a key.
  unauthenticated: 'events require a read key or the internal secret: set BERTH_API_KEY or BERTH_SECRET_KEY',
};

export const events = defineCommand({
  summary: 'list what has happened, or follow it',
  usage: 'events [--follow] [--types TYPES] [--artefact ID]… [--after CURSOR] [--url URL] [--json] [--quiet]',
  description: `Lists the events of artefacts that you may see, oldest first. With --follow, waits for new ones until
Ctrl-C, also across restarts of the registry.

${ABOUT_REGISTRY} It must be a read key. The internal secret in BERTH_SECRET_KEY, instead of a key, lists the events of
all artefacts, and those of keys, mirrors and the storage.`,
  options: {
    ...CLIENT_OPTIONS,
    follow: { type: 'boolean' },
    types: { type: 'string' },
    artefact: { type: 'string', multiple: true },
    after: { type: 'string' },
  },
  optionTexts: {
    follow: 'go on until Ctrl-C',
    types: 'only these types, separated by commas; a final dot makes a prefix: artefact.',
    artefact: 'only events of this artefact; can be repeated',
    after: 'id of an event, oldest or latest; default: oldest, or latest with --follow',
    ...CLIENT_TEXTS,
    json: 'print each event as a line of JSON, a CloudEvent',
    quiet: 'do not tell when the connection is lost and when it is back',
  },
  examples: {
    'berth events --types artefact. --artefact @acme/import-gpkg@1': 'what has become of an artefact',
    'berth events --follow --json': 'new events, for a script',
  },
  async run(values) {
    const { follow = false, json = false, artefact: artefactIds = [] } = values;
    if (values.after === '') throw new UsageError('--after must be the id of an event, oldest or latest');
    if (artefactIds.length > MAX_ARTEFACTS)
      throw new UsageError(`--artefact can be given at most ${MAX_ARTEFACTS} times`);
    if (artefactIds.includes('')) throw new UsageError('--artefact must be an ID');
    const registry = resolveReader(values);
    const selection = {
      ...registry,
      types: (values.types ?? '').split(',').flatMap((type) => type.trim() || []),
      ...(artefactIds.length > 0 && { artefactIds }),
      after: values.after ?? (follow ? 'latest' : 'oldest'),
    };
    const count = await runInterruptibly({
      name: NAME,
      isQuiet: true,
      interruption: 'interrupted',
      work: ({ signal }) => {
        const source = { ...selection, signal };
        const found = follow ? followLoudly(source, values.quiet === true) : listEvents(source);
        return printAll(found, json ? JSON.stringify : formatEvent).catch((error: unknown) => {
          // Following has no other end.
          if ((follow && signal.aborted) || isClosedOutput(error)) return undefined;
          throw explain(error, registry);
        });
      },
    });
    if (count === 0 && !json) print('No events found.');
  },
});

/** The registry, with the internal secret or a key. */
function resolveReader(values: ClientValues): Pick<ListEventsOptions, 'registryUrl' | 'apiKey' | 'secretKey'> {
  const registry = resolveRegistry(values);
  const secretKey = values['api-key'] === undefined ? readSecret('BERTH_SECRET_KEY') : undefined;
  return secretKey ? { registryUrl: registry.registryUrl, secretKey } : registry;
}

function followLoudly(source: ListEventsOptions, isQuiet: boolean): AsyncGenerator<BerthEvent> {
  let isLost = false;
  const tell = (text: string) => {
    if (!isQuiet) warn(NAME, text);
  };
  return followEvents({
    ...source,
    onInterruption: ({ message }) => {
      if (!isLost) tell(`connection lost, trying to connect again: ${message}`);
      isLost = true;
    },
    onResumption: () => {
      tell('connected again');
      isLost = false;
    },
  });
}

/** @returns how many there were */
async function printAll(found: AsyncIterable<BerthEvent>, format: (event: BerthEvent) => string): Promise<number> {
  let count = 0;
  for await (const event of found) {
    await printNext(format(event));
    count++;
  }
  return count;
}

/** Tells whether nobody reads the output any more. */
function isClosedOutput(error: unknown): boolean {
  return error instanceof Error && !(error instanceof RegistryError) && 'code' in error && error.code === 'EPIPE';
}

/** Says what to do, in the words of this command. */
function explain(error: unknown, { apiKey, secretKey }: Pick<ListEventsOptions, 'apiKey' | 'secretKey'>): unknown {
  if (!(error instanceof RegistryError)) return error;
  const hasKey = apiKey !== undefined || secretKey !== undefined;
  if (!Object.hasOwn(REFUSALS, error.code) || (error.code === 'unauthenticated' && hasKey)) return error;
  return new Error(REFUSALS[error.code], { cause: error });
}
