import { Type, type Static } from 'typebox';
import {
  DepartmentIdSchema,
  EmailSchema,
  NameSchema,
  OrganizationIdSchema,
  OrganizationRoleSchema,
  PasswordSchema,
} from '../schemas.ts';

const user = {
  id: Type.String(),
  email: Type.String(),
  emailVerified: Type.Boolean({
    description: 'Whether the owner of the address has proved it, or a superadmin has vouched for it',
  }),
  name: Type.String(),
  isAdmin: Type.Boolean({ description: 'Superadmin' }),
  disabled: Type.Boolean({ description: 'Cannot sign in' }),
  linked: Type.Boolean({ description: 'Signs in through the OpenID provider' }),
  createdAt: Type.String({ format: 'date-time' }),
};

export const UserSchema = Type.Object(user, { title: 'User' });

export const UserDetailsSchema = Type.Object(
  {
    ...user,
    organizations: Type.Array(
      Type.Object({
        id: OrganizationIdSchema,
        name: Type.String(),
        role: OrganizationRoleSchema,
        departments: Type.Array(DepartmentIdSchema),
      }),
    ),
  },
  { title: 'UserDetails' },
);

export const NewUserSchema = Type.Object(
  {
    email: EmailSchema,
    name: NameSchema,
    password: PasswordSchema,
    isAdmin: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);

export const UserPatchSchema = Type.Object(
  {
    name: Type.Optional(NameSchema),
    disabled: Type.Optional(Type.Boolean({ description: 'Ends the sessions of the user' })),
    isAdmin: Type.Optional(Type.Boolean()),
    emailVerified: Type.Optional(
      Type.Boolean({ description: 'Set it to true only if you know that the user is the owner of the address' }),
    ),
    password: Type.Optional(PasswordSchema),
  },
  { additionalProperties: false, minProperties: 1 },
);

export const PasswordLinkSchema = Type.Object(
  {
    url: Type.String({ description: 'Give it only to the user: shown only once' }),
    expiresAt: Type.String({ format: 'date-time' }),
  },
  { title: 'PasswordLink' },
);

export type PasswordLink = Static<typeof PasswordLinkSchema>;
export type User = Static<typeof UserSchema>;
export type UserDetails = Static<typeof UserDetailsSchema>;
export type NewUser = Static<typeof NewUserSchema>;
export type UserPatch = Static<typeof UserPatchSchema>;
