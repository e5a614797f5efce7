import { Type, type Static } from 'typebox';
import { DepartmentIdSchema, EmailSchema, NameSchema, OrganizationRoleSchema, PasswordSchema } from '../schemas.ts';

/** Tokens have 43 characters. */
const MAX_TOKEN_LENGTH = 200;

export const NewInvitationSchema = Type.Object(
  {
    email: EmailSchema,
    role: OrganizationRoleSchema,
    department: Type.Optional(DepartmentIdSchema),
  },
  { additionalProperties: false, title: 'NewInvitation' },
);

const invitation = {
  email: Type.String(),
  role: OrganizationRoleSchema,
  department: Type.Optional(DepartmentIdSchema),
  expiresAt: Type.String({ format: 'date-time' }),
};

export const InvitationSchema = Type.Object(
  {
    id: Type.String({ description: 'Names the invitation; it is not its token' }),
    ...invitation,
    mailed: Type.Boolean({
      description: 'Whether it was sent by mail, and its link shown to nobody else: accepting it proves the address',
    }),
  },
  { title: 'Invitation' },
);

export const CreatedInvitationSchema = Type.Object(
  {
    ...InvitationSchema.properties,
    url: Type.Optional(
      Type.String({
        description:
          'Link for the invited person, only without a mail server and only in this answer. Whoever has it can accept',
      }),
    ),
  },
  { title: 'CreatedInvitation' },
);

export const InvitationListSchema = Type.Object({ results: Type.Array(InvitationSchema), count: Type.Integer() });

/** View for the holder of the link. */
export const InvitationViewSchema = Type.Object(
  {
    ...invitation,
    organization: Type.Object({ id: Type.String(), name: Type.String() }),
    hasUser: Type.Boolean({
      description:
        'Whether a user with this address exists, who must sign in to accept; otherwise acceptance creates one',
    }),
  },
  { title: 'InvitationView' },
);

const token = Type.String({
  maxLength: MAX_TOKEN_LENGTH,
  description: 'Secret in the link: what follows `#token=`',
});

export const InvitationQuerySchema = Type.Object({ token }, { additionalProperties: false });

export const AcceptanceSchema = Type.Object(
  {
    token,
    name: Type.Optional(NameSchema),
    password: Type.Optional(PasswordSchema),
  },
  { additionalProperties: false, title: 'Acceptance' },
);

export type NewInvitation = Static<typeof NewInvitationSchema>;
export type Invitation = Static<typeof InvitationSchema>;
export type CreatedInvitation = Static<typeof CreatedInvitationSchema>;
export type InvitationView = Static<typeof InvitationViewSchema>;
export type Acceptance = Static<typeof AcceptanceSchema>;
