// Organisations and their departments, managed by superadmins. members.ts manages the members.

import {
  changeAs,
  enforce,
  policy,
  type Account,
  type Actor,
  type Caller,
  type CurrentActor,
} from '../../access/index.ts';
import type { Database, Tx } from '../../db/index.ts';
import { recordChange } from '../../events/index.ts';
import { DepartmentNotFoundError, OrganizationExistsError, OrganizationNotFoundError } from '../errors.ts';
import { toIso } from '../operations.ts';
import type { Page, PageQuery } from '../schemas.ts';
import { listMembers, saveMember } from './member-repository.ts';
import { toMember } from './members.ts';
import {
  deleteDepartment,
  deleteOrganization,
  findOrganization,
  insertOrganization,
  listDepartments,
  listOrganizations,
  renameOrganization,
  saveDepartment,
  type OrganizationRow,
} from './repository.ts';
import type { Department, NewOrganization, Organization, OrganizationDetails } from './schemas.ts';

export interface OrganizationService {
  /** Creates an organisation; the calling superadmin becomes its first admin. @throws organization_exists */
  create(actor: Actor, organization: NewOrganization): Promise<Organization>;
  /** Lists organisations by name. */
  list(caller: Caller, query: PageQuery): Promise<Page<Organization>>;
  /** Finds an organisation with its departments and members. @throws organization_not_found */
  find(caller: Caller, id: string): Promise<OrganizationDetails>;
  /** Changes the display name. @throws organization_not_found */
  rename(actor: Actor, id: string, name: string): Promise<Organization>;
  /** Deletes an organisation with its departments, memberships and access grants. @throws organization_not_found */
  remove(actor: Actor, id: string): Promise<void>;
  /** Creates a department or renames it. @throws organization_not_found */
  saveDepartment(actor: Actor, organizationId: string, department: Department): Promise<Department>;
  /** Deletes a department with its access grant; its members stay in the organisation. @throws department_not_found */
  removeDepartment(actor: Actor, organizationId: string, department: string): Promise<void>;
}

export interface OrganizationServiceOptions {
  database: Database;
  /** Called in the transaction that deletes an account; deletes what else it owned. */
  onAccountDeleted: (tx: Tx, actor: CurrentActor, account: Account) => Promise<void>;
}

export function createOrganizationService({
  database,
  onAccountDeleted,
}: OrganizationServiceOptions): OrganizationService {
  return {
    async create(actor, { id, name }) {
      return changeAs(database, actor, policy.manageAccounts, async (tx, current) => {
        const row = await insertOrganization(tx, { id, name: name.trim() });
        if (!row) throw new OrganizationExistsError('An organisation with this ID already exists.');
        if (current.caller.kind === 'user')
          await saveMember(tx, { organizationId: id, userId: current.caller.user.id, role: 'admin' });
        await recordChange(tx, current, {
          action: 'organization.create',
          targetType: 'organization',
          targetId: id,
          details: { name: row.name },
        });
        return toOrganization(row);
      });
    },

    async list(caller, query) {
      enforce(policy.manageAccounts(caller));
      const { results, count } = await listOrganizations(database.db, query);
      return { results: results.map(toOrganization), count };
    },

    async find(caller, id) {
      enforce(policy.manageOrganization(caller, id));
      const organization = toOrganization(requireOrganization(await findOrganization(database.db, id)));
      const members = await listMembers(database.db, id);
      return { ...organization, departments: await listDepartments(database.db, id), members: members.map(toMember) };
    },

    async rename(actor, id, name) {
      return changeAs(database, actor, policy.manageAccounts, async (tx, current) => {
        const row = requireOrganization(await renameOrganization(tx, id, name.trim()));
        await recordChange(tx, current, {
          action: 'organization.update',
          targetType: 'organization',
          targetId: id,
          details: { name: row.name },
        });
        return toOrganization(row);
      });
    },

    async remove(actor, id) {
      await changeAs(database, actor, policy.manageAccounts, async (tx, current) => {
        if (!(await deleteOrganization(tx, id))) throw organizationNotFound();
        await onAccountDeleted(tx, current, { type: 'organization', id });
        await recordChange(tx, current, { action: 'organization.delete', targetType: 'organization', targetId: id });
      });
    },

    async saveDepartment(actor, organizationId, { id, name }) {
      return changeAs(database, actor, policy.manageAccounts, async (tx, current) => {
        requireOrganization(await findOrganization(tx, organizationId));
        const department = { id, name: name.trim() };
        await saveDepartment(tx, organizationId, department);
        await recordChange(tx, current, {
          action: 'organization.save-department',
          targetType: 'organization',
          targetId: organizationId,
          details: { department },
        });
        return department;
      });
    },

    async removeDepartment(actor, organizationId, department) {
      await changeAs(database, actor, policy.manageAccounts, async (tx, current) => {
        if (!(await deleteDepartment(tx, organizationId, department)))
          throw new DepartmentNotFoundError('The organisation has no department with this ID.');
        await onAccountDeleted(tx, current, { type: 'organization', id: organizationId, department });
        await recordChange(tx, current, {
          action: 'organization.delete-department',
          targetType: 'organization',
          targetId: organizationId,
          details: { department },
        });
      });
    },
  };
}

function requireOrganization(row: OrganizationRow | undefined): OrganizationRow {
  if (!row) throw organizationNotFound();
  return row;
}

function organizationNotFound(): Error {
  return new OrganizationNotFoundError('No organisation has this ID.');
}

function toOrganization(row: OrganizationRow): Organization {
  return { id: row.id, name: row.name, createdAt: toIso(row.createdAt) };
}
