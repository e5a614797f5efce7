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
    url: Type.String({ description: 'Link for the invited person; give it to nobody else' }),
    mailed: Type.Optional(Type.Boolean({ description: 'Whether it was sent by mail; if not, pass on the link' })),
  },
  { title: 'Invitation' },
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
