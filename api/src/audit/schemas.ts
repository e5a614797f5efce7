import { Type, type Static } from 'typebox';
import { pageFields } from '../http/index.ts';

export const DEFAULT_PAGE_SIZE = 20;

const MAX_TEXT_LENGTH = 512;
const text = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: MAX_TEXT_LENGTH, description }));
const Kind = Type.Union(
  (['anonymous', 'internal', 'upload-key', 'read-key', 'user'] as const).map((kind) => Type.Literal(kind)),
);
const Outcome = Type.Union((['success', 'refused', 'failed'] as const).map((outcome) => Type.Literal(outcome)));

const filter = {
  actor: text('ID of the user or key that acted'),
  actorKind: Type.Optional(Kind),
  action: text('An action such as artefact.upload, or a prefix that ends with a dot: artefact.'),
  targetType: text(
    'Type of the target: artefact, api-key, access-grant, user, organization, session, storage, ' +
      'remote-registry, trusted-publisher',
  ),
  target: text('ID of the target'),
  outcome: Type.Optional(Outcome),
  from: Type.Optional(Type.String({ format: 'date-time', description: 'Earliest time, inclusive' })),
  to: Type.Optional(Type.String({ format: 'date-time', description: 'Latest time, inclusive' })),
};

export const AuditFilterSchema = Type.Object(filter, { additionalProperties: false });

export const AuditQuerySchema = Type.Object(
  {
    ...filter,
    ...pageFields(DEFAULT_PAGE_SIZE),
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
    ip: Type.Optional(Type.String({ description: 'IP address of the client' })),
    requestId: Type.Optional(Type.String({ description: 'Request ID, as in the server log' })),
    details: Type.Optional(Type.Unknown()),
  },
  { title: 'AuditEvent' },
);

export const AuditPageSchema = Type.Object({
  results: Type.Array(AuditEventSchema),
  count: Type.Integer({
    description:
      'Number of matches, exact up to 10,000; beyond, a lower bound that is higher than skip and size as long as ' +
      'more events follow',
  }),
});

export type AuditEventView = Static<typeof AuditEventSchema>;
export type AuditQuery = Static<typeof AuditQuerySchema>;
export type AuditFilterQuery = Static<typeof AuditFilterSchema>;
