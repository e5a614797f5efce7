// The types of events, each with the schema of its data. A released type is never changed, but for fields that are
// added.

import { Type, type Static, type TObject, type TProperties } from 'typebox';

/** Prefix of types on the wire. */
export const TYPE_PREFIX = 'berth.';

const Digest = Type.String({ description: '`sha256:<64 hex digits>`' });
const Size = Type.Integer({ minimum: 0, description: 'In bytes' });
const DataUpdatedAt = Type.String({ format: 'date-time', description: 'As in the document, which may be newer' });
const Format = Type.Union([Type.Literal('npm'), Type.Literal('file')]);
const data = <Fields extends TProperties>(fields: Fields) => Type.Object(fields);

const ArtefactContent = data({
  format: Format,
  category: Type.String(),
  dataUpdatedAt: DataUpdatedAt,
  version: Type.Optional(Type.String()),
  origin: Type.Optional(Type.String({ description: 'Of a mirror: URL of its registry' })),
  slots: Type.Optional(
    Type.Record(Type.String(), Type.Object({ digest: Digest, size: Size, version: Type.Optional(Type.String()) }), {
      description: 'Of an npm artefact: the slots that have new content, by architecture',
    }),
  ),
  digest: Type.Optional(Digest),
  size: Type.Optional(Size),
  fileName: Type.Optional(Type.String()),
});
const Key = {
  type: Type.Union([Type.Literal('upload'), Type.Literal('read')]),
  name: Type.String(),
  shortId: Type.String(),
};

/** Who learns of an event: those who may see the artefact, or superadmins and internal services only. */
export type EventAudience = 'artefact' | 'unlimited';

interface EventTypeDefinition {
  audience: EventAudience;
  /** One sentence for the API description. */
  description: string;
  data: TObject;
}

export const EVENT_TYPES = {
  'artefact.created': {
    audience: 'artefact',
    description: 'The first upload of an artefact, or its first synchronisation from another registry',
    data: ArtefactContent,
  },
  'artefact.updated': {
    audience: 'artefact',
    description: 'New content: an upload, or a mirror whose original has changed',
    data: ArtefactContent,
  },
  'artefact.metadata_changed': {
    audience: 'artefact',
    description: 'Other fields of the document have changed',
    data: data({ fields: Type.Array(Type.String(), { description: 'Such as `title` or `thumbnail`' }) }),
  },
  'artefact.access_changed': {
    audience: 'artefact',
    description: 'Who may see the artefact has changed',
    data: data({ public: Type.Boolean() }),
  },
  'artefact.deprecated': {
    audience: 'artefact',
    description: 'The artefact was deprecated, or is no longer',
    data: data({ deprecated: Type.Boolean() }),
  },
  'artefact.deleted': {
    audience: 'artefact',
    description: 'The artefact was deleted',
    data: data({ format: Format }),
  },
  'slot.removed': {
    audience: 'artefact',
    description: 'The content for one architecture was removed',
    data: data({ architecture: Type.String(), digest: Digest, dataUpdatedAt: DataUpdatedAt }),
  },
  'mirror.synced': {
    audience: 'unlimited',
    description: 'A synchronisation succeeded that brought something, or followed a failed one',
    data: data({
      updated: Type.Integer(),
      unchanged: Type.Integer(),
      gone: Type.Integer({ description: 'Artefacts that the remote registry has no longer' }),
    }),
  },
  'mirror.failed': {
    audience: 'unlimited',
    description: 'A synchronisation failed, in another way than the one before',
    data: data({ code: Type.String({ description: 'As `lastSyncErrorCode` of the remote registry' }) }),
  },
  'key.expiring': {
    audience: 'unlimited',
    description: 'An API key expires soon (KEY_EXPIRY_NOTICE_DAYS)',
    data: data({ ...Key, expiresAt: Type.String({ format: 'date-time' }) }),
  },
  'key.revoked': {
    audience: 'unlimited',
    description: 'An API key was revoked, or deleted with its owner; not the short-lived ones of pipelines',
    data: data(Key),
  },
  'storage.damaged': {
    audience: 'unlimited',
    description: 'Stored bytes were found damaged or missing; the subject is their digest',
    data: data({
      state: Type.Union([Type.Literal('damaged'), Type.Literal('missing')]),
      artefacts: Type.Array(Type.String(), { description: 'IDs of artefacts that have these bytes, at most 20' }),
    }),
  },
} as const satisfies Record<string, EventTypeDefinition>;

export type EventType = keyof typeof EVENT_TYPES;
export type EventData<Name extends EventType> = Static<(typeof EVENT_TYPES)[Name]['data']>;

/** An event to be written; its ID, time and actor are those of the change. */
export type NewEvent = {
  [Name in EventType]: {
    type: Name;
    /** ID of the artefact, key, remote registry or blob. */
    subject: string;
    data: EventData<Name>;
  };
}[EventType];

/** Whether the subjects of a type are artefacts. A type of a later version of the program counts as none. */
export function isOfArtefact(type: string): boolean {
  return type in EVENT_TYPES && EVENT_TYPES[type as EventType].audience === 'artefact';
}
