import { Type, type Static } from 'typebox';
import { pageFields } from '../http/index.ts';
import { EVENT_TYPES, TYPE_PREFIX, type EventType } from './event-types.ts';

export const DEFAULT_PAGE_SIZE = 100;

/** Artefacts that a request may name. */
const MAX_ARTEFACTS = 100;
const MAX_ID_LENGTH = 300;
const MAX_TYPES_LENGTH = 1000;
const MAX_CURSOR_LENGTH = 64;

const oneOrMany = (maxLength: number, description: string) => {
  const text = Type.String({ maxLength });
  return Type.Optional(Type.Union([text, Type.Array(text, { maxItems: MAX_ARTEFACTS })], { description }));
};
const filter = {
  types: oneOrMany(
    MAX_TYPES_LENGTH,
    'Only these types, separated by commas, with or without `berth.`; a final dot makes a prefix: `artefact.`',
  ),
  artefact: oneOrMany(MAX_ID_LENGTH, `Only events of this artefact; up to ${MAX_ARTEFACTS} times`),
};

export const EventsQuerySchema = Type.Object(
  {
    after: Type.Optional(
      Type.String({
        maxLength: MAX_CURSOR_LENGTH,
        default: 'oldest',
        description: '`next` of the page before, or ID of an event; `oldest`: all that are kept; `latest`: none yet',
      }),
    ),
    ...filter,
    size: pageFields(DEFAULT_PAGE_SIZE).size,
  },
  { additionalProperties: false },
);

export const StreamQuerySchema = Type.Object(
  {
    after: Type.Optional(
      Type.String({
        maxLength: MAX_CURSOR_LENGTH,
        default: 'latest',
        description: 'As in GET /events; a header `Last-Event-ID` counts before it',
      }),
    ),
    ...filter,
  },
  { additionalProperties: false },
);

/** Structured CloudEvents 1.0 (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md). */
const EventSchemas = (Object.keys(EVENT_TYPES) as EventType[]).map((name) => {
  const { data, description } = EVENT_TYPES[name];
  return Type.Object(
    {
      specversion: Type.Literal('1.0'),
      id: Type.String({ description: 'Also the cursor behind this event' }),
      source: Type.String({ description: 'PUBLIC_URL of the registry' }),
      type: Type.Literal(`${TYPE_PREFIX}${name}`),
      subject: Type.String({ description: 'ID of the artefact, key, remote registry or blob' }),
      time: Type.String({ format: 'date-time' }),
      datacontenttype: Type.Literal('application/json'),
      data: Type.Object({
        ...data.properties,
        by: Type.Optional(
          Type.Object(
            {
              kind: Type.String(),
              id: Type.Optional(Type.String({ description: 'ID of a user, short ID of a key' })),
            },
            { description: 'Who did it; only for superadmins, and internal services without x-account' },
          ),
        ),
      }),
    },
    { title: `${TYPE_PREFIX}${name}`, description },
  );
});

export const EventsPageSchema = Type.Object({
  results: Type.Array(Type.Union(EventSchemas), { description: 'Oldest first' }),
  next: Type.String({ description: 'Cursor for the next request; nothing newer is there if it equals `after`' }),
});

export type EventsQuery = Static<typeof EventsQuerySchema>;
export type StreamQuery = Static<typeof StreamQuerySchema>;
