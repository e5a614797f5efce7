import { Type, type Static } from 'typebox';
import { AccountSchema } from '../../access/index.ts';

const RoleSchema = Type.Union([Type.Literal('admin'), Type.Literal('member')], {
  description: 'Whether the user administers the account',
});

/** An account that the user may choose, with its display fields. */
const ChoiceSchema = Type.Object({
  ...AccountSchema.properties,
  departmentName: Type.Optional(Type.String()),
  role: RoleSchema,
});

/** The caller, however authenticated. */
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
    accounts: Type.Optional(Type.Array(ChoiceSchema, { description: 'Accounts that the user may act for' })),
    isAdmin: Type.Boolean({ description: 'Superadmin' }),
    hasGrant: Type.Boolean({ description: 'Whether the account has an access grant, which downloads require' }),
    isReadOnly: Type.Optional(
      Type.Boolean({
        description: 'Whether another user impersonates this one; such a session is read-only',
      }),
    ),
    language: Type.Optional(Type.String({ description: 'Language of the user, as the identity service knows it' })),
  },
  { title: 'Session' },
);

/** How users sign in. */
export const SignInSchema = Type.Object(
  {
    mode: Type.Union([Type.Literal('local'), Type.Literal('simple-directory')], {
      description: 'local: at /api/auth; simple-directory: at the identity service',
    }),
    url: Type.Optional(Type.String({ description: 'URL of the identity service' })),
    canResetPassword: Type.Optional(Type.Boolean({ description: 'Whether password reset links can be mailed' })),
    oidc: Type.Optional(
      Type.Object({ name: Type.String() }, { description: 'An OpenID provider, at /api/auth/sign-in/social' }),
    ),
  },
  { title: 'SignIn' },
);

export const OwnSessionSchema = Type.Object(
  {
    id: Type.String(),
    isCurrent: Type.Boolean({ description: 'Whether it is the session of this request' }),
    createdAt: Type.String({ format: 'date-time' }),
    prolongedAt: Type.String({ format: 'date-time', description: 'Last renewal; accurate to the day' }),
    expiresAt: Type.String({ format: 'date-time' }),
    ip: Type.Optional(Type.String({ description: 'IP address at sign-in' })),
    userAgent: Type.Optional(Type.String({ description: 'Browser at sign-in' })),
  },
  { title: 'OwnSession' },
);

export const OwnSessionListSchema = Type.Object({ results: Type.Array(OwnSessionSchema), count: Type.Integer() });

export type OwnSession = Static<typeof OwnSessionSchema>;
export type SignIn = Static<typeof SignInSchema>;
export type Session = Static<typeof SessionSchema>;
