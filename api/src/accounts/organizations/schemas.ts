import { Type, type Static } from 'typebox';
import { DepartmentIdSchema, NameSchema, OrganizationIdSchema, OrganizationRoleSchema } from '../schemas.ts';

const organization = {
  id: OrganizationIdSchema,
  name: Type.String(),
  createdAt: Type.String({ format: 'date-time' }),
};

export const OrganizationSchema = Type.Object(organization, { title: 'Organization' });

export const DepartmentSchema = Type.Object({ id: DepartmentIdSchema, name: Type.String() }, { title: 'Department' });

export const MemberSchema = Type.Object(
  {
    user: Type.Object({ id: Type.String(), name: Type.String(), email: Type.String() }),
    role: OrganizationRoleSchema,
    departments: Type.Array(DepartmentIdSchema),
  },
  { title: 'Member' },
);

export const OrganizationDetailsSchema = Type.Object(
  {
    ...organization,
    departments: Type.Array(DepartmentSchema),
    members: Type.Array(MemberSchema),
  },
  { title: 'OrganizationDetails' },
);

export const NewOrganizationSchema = Type.Object(
  { id: OrganizationIdSchema, name: NameSchema },
  { additionalProperties: false },
);

export const MembershipSchema = Type.Object(
  {
    role: OrganizationRoleSchema,
    departments: Type.Optional(
      Type.Array(DepartmentIdSchema, {
        uniqueItems: true,
        description: 'Replaces the departments of the member; none if left out',
      }),
    ),
  },
  { additionalProperties: false },
);

export const NamedSchema = Type.Object({ name: NameSchema }, { additionalProperties: false });

export type Organization = Static<typeof OrganizationSchema>;
export type OrganizationDetails = Static<typeof OrganizationDetailsSchema>;
export type NewOrganization = Static<typeof NewOrganizationSchema>;
export type Department = Static<typeof DepartmentSchema>;
export type Member = Static<typeof MemberSchema>;
export type Membership = Static<typeof MembershipSchema>;
