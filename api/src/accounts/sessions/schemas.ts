import { Type, type Static } from 'typebox';
import { AccountSchema } from '../../access/index.ts';

const RoleSchema = Type.Union([Type.Literal('admin'), Type.Literal('member')], {
  description: 'Whether the user administers the account',
});

/** An account that the user may choose, with what a picker shows. */
const ChoiceSchema = Type.Object({
  ...AccountSchema.properties,
  departmentName: Type.Optional(Type.String()),
  role: RoleSchema,
});

/** Who is asking, whichever way they came in. */
export const SessionSchema = Type.Object(
  {
    kind: Type.Union([
      Type.Literal('anonymous'),
      Type.Literal('internal'),
      Type.Literal('upload-key'),
      Type.Literal('read-key'),
      Type.Literal('user'),
    ]),
    user: Type.Optional(Type.Object({ id: Type.String(), name: Type.String(), email: Type.String() })),
    account: Type.Optional(AccountSchema),
    accountRole: Type.Optional(RoleSchema),
    accounts: Type.Optional(Type.Array(ChoiceSchema, { description: 'What the user may act for' })),
    isAdmin: Type.Boolean({ description: 'Superadmin' }),
    hasGrant: Type.Boolean({ description: 'Whether the account may download what it sees' }),
    isReadOnly: Type.Optional(
      Type.Boolean({
        description: 'Whether somebody else looks through the eyes of the user, and may change nothing',
      }),
    ),
    language: Type.Optional(Type.String({ description: 'What the user reads, as the identity service knows it' })),
  },
  { title: 'Session' },
);

/** How one signs in here. */
export const SignInSchema = Type.Object(
  {
    mode: Type.Union([Type.Literal('local'), Type.Literal('simple-directory')], {
      description: 'local: at /api/auth; simple-directory: at the identity service',
    }),
    url: Type.Optional(Type.String({ description: 'Where the identity service is' })),
    canResetPassword: Type.Optional(
      Type.Boolean({ description: 'Whether a link to set another password can be mailed' }),
    ),
    oidc: Type.Optional(
      Type.Object({ name: Type.String() }, { description: 'An OpenID provider, at /api/auth/sign-in/social' }),
    ),
  },
  { title: 'SignIn' },
);

export const OwnSessionSchema = Type.Object(
  {
    id: Type.String(),
    isCurrent: Type.Boolean({ description: 'Whether it is the one that asks' }),
    createdAt: Type.String({ format: 'date-time' }),
    prolongedAt: Type.String({ format: 'date-time', description: 'Exact to the day' }),
    expiresAt: Type.String({ format: 'date-time' }),
    ip: Type.Optional(Type.String({ description: 'Address that it was begun from' })),
    userAgent: Type.Optional(Type.String({ description: 'Browser that it was begun with' })),
  },
  { title: 'OwnSession' },
);

export const OwnSessionListSchema = Type.Object({ results: Type.Array(OwnSessionSchema), count: Type.Integer() });

export type OwnSession = Static<typeof OwnSessionSchema>;
export type SignIn = Static<typeof SignInSchema>;
export type Session = Static<typeof SessionSchema>;
