import { Type, type Static } from 'typebox';

/** Events of a page when the request names no size, and the most that it gets. */
export const DEFAULT_PAGE_SIZE = 20;
export const MAX_PAGE_SIZE = 1000;

const MAX_TEXT_LENGTH = 512;
const text = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: MAX_TEXT_LENGTH, description }));
const Kind = Type.Union(
  (['anonymous', 'internal', 'upload-key', 'read-key', 'user'] as const).map((kind) => Type.Literal(kind)),
);
const Outcome = Type.Union((['success', 'refused', 'failed'] as const).map((outcome) => Type.Literal(outcome)));

const filter = {
  actor: text('Id of the user or of the key who acted'),
  actorKind: Type.Optional(Kind),
  action: text('An action such as artefact.upload, or all of a kind: artefact.'),
  targetType: text(
    'What was acted upon: artefact, api-key, access-grant, user, organization, session, storage, ' +
      'remote-registry, trusted-publisher',
  ),
  target: text('Id of what was acted upon'),
  outcome: Type.Optional(Outcome),
  from: Type.Optional(Type.String({ format: 'date-time', description: 'Not before this time' })),
  to: Type.Optional(Type.String({ format: 'date-time', description: 'Not after this time' })),
};

export const AuditFilterSchema = Type.Object(filter, { additionalProperties: false });

export const AuditQuerySchema = Type.Object(
  {
    ...filter,
    skip: Type.Optional(
      Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'Events to leave out at the start' }),
    ),
    size: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: `Most events to return: ${DEFAULT_PAGE_SIZE} by default, at most ${MAX_PAGE_SIZE}`,
      }),
    ),
  },
  { additionalProperties: false },
);

export const AuditEventSchema = Type.Object(
  {
    _id: Type.String(),
    at: Type.String({ format: 'date-time' }),
    actor: Type.Object({ kind: Kind, id: Type.Optional(Type.String()), name: Type.Optional(Type.String()) }),
    action: Type.String(),
    target: Type.Object({ type: Type.String(), id: Type.String() }),
    outcome: Outcome,
    ip: Type.Optional(Type.String({ description: 'Address that the request came from' })),
    requestId: Type.Optional(Type.String({ description: 'As in the log of the server' })),
    details: Type.Optional(Type.Unknown()),
  },
  { title: 'AuditEvent' },
);

export const AuditPageSchema = Type.Object({
  results: Type.Array(AuditEventSchema),
  count: Type.Integer({ description: 'How many there are in all' }),
});

export type AuditEventView = Static<typeof AuditEventSchema>;
export type AuditQuery = Static<typeof AuditQuerySchema>;
export type AuditFilterQuery = Static<typeof AuditFilterSchema>;
