import { Type, type Static } from 'typebox';
import { DepartmentIdSchema, EmailSchema, NameSchema, OrganizationRoleSchema, PasswordSchema } from '../schemas.ts';

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
    id: Type.String(),
    ...invitation,
    url: Type.String({ description: 'What the one who is invited opens; give it to nobody else' }),
    mailed: Type.Optional(
      Type.Boolean({ description: 'Whether it was sent by mail; where not, give them the address' }),
    ),
  },
  { title: 'Invitation' },
);

export const InvitationListSchema = Type.Object({ results: Type.Array(InvitationSchema), count: Type.Integer() });

/** What whoever holds the address is shown. */
export const InvitationViewSchema = Type.Object(
  {
    ...invitation,
    organization: Type.Object({ id: Type.String(), name: Type.String() }),
    hasUser: Type.Boolean({
      description:
        'Whether there is a user with this address, who signs in to accept; else a name and a password make one',
    }),
  },
  { title: 'InvitationView' },
);

export const AcceptanceSchema = Type.Object(
  {
    name: Type.Optional(NameSchema),
    password: Type.Optional(PasswordSchema),
  },
  { additionalProperties: false, title: 'Acceptance' },
);

export type NewInvitation = Static<typeof NewInvitationSchema>;
export type Invitation = Static<typeof InvitationSchema>;
export type InvitationView = Static<typeof InvitationViewSchema>;
export type Acceptance = Static<typeof AcceptanceSchema>;
