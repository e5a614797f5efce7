// Members of organisations, with their role and departments.

import { changeAs, isAllowed, policy, type Actor, type Caller } from '../../access/index.ts';
import type { Database } from '../../db/index.ts';
import { recordChange } from '../../events/index.ts';
import {
  DepartmentNotFoundError,
  MemberNotFoundError,
  OrganizationNotFoundError,
  UserNotFoundError,
} from '../errors.ts';
import { accountRoleOf } from '../sessions/operations.ts';
import { findUser } from '../users/repository.ts';
import { deleteMember, findMember, replaceDepartments, saveMember, type MemberRow } from './member-repository.ts';
import { findOrganization } from './repository.ts';
import type { Member, Membership } from './schemas.ts';

export interface MemberService {
  /**
   * Adds a member or changes one: sets exactly this role and these departments. Only superadmins can add users.
   * @throws organization_not_found, member_not_found, user_not_found, department_not_found
   */
  save(actor: Actor, organizationId: string, userId: string, membership: Membership): Promise<Member>;
  /**
   * Ends a membership; sessions that act for the organisation act for the user alone from the next request on.
   * @throws member_not_found
   */
  remove(actor: Actor, organizationId: string, userId: string): Promise<void>;
}

const mayManage = (organizationId: string) => (caller: Caller) => policy.manageOrganization(caller, organizationId);

export function createMemberService(database: Database): MemberService {
  return {
    async save(actor, organizationId, userId, { role, departments = [] }) {
      return changeAs(database, actor, mayManage(organizationId), async (tx, current) => {
        if (!(await findOrganization(tx, organizationId)))
          throw new OrganizationNotFoundError('No organisation has this ID.');
        // Organisation admins can change existing members, but add new ones only by invitation.
        const mayAddMember = isAllowed(policy.manageAccounts(current.caller));
        if (!mayAddMember && !(await findMember(tx, organizationId, userId)))
          throw new MemberNotFoundError('This user is not a member of the organisation: send an invitation.');
        if (!(await findUser(tx, userId))) throw new UserNotFoundError('No user has this ID.');
        await saveMember(tx, { organizationId, userId, role });
        const unknown = await replaceDepartments(tx, organizationId, userId, departments);
        if (unknown.length > 0)
          throw new DepartmentNotFoundError(
            `The organisation has no department ${unknown.join(', ')}: create it first.`,
          );
        await recordChange(tx, current, {
          action: 'organization.save-member',
          targetType: 'organization',
          targetId: organizationId,
          details: { userId, role, departments },
        });
        const member = await findMember(tx, organizationId, userId);
        if (!member)
          throw new MemberNotFoundError('The user was removed from the organisation in the meantime: try again.');
        return toMember(member);
      });
    },

    async remove(actor, organizationId, userId) {
      await changeAs(database, actor, mayManage(organizationId), async (tx, current) => {
        if (!(await deleteMember(tx, organizationId, userId)))
          throw new MemberNotFoundError('This user is not a member of the organisation.');
        await recordChange(tx, current, {
          action: 'organization.delete-member',
          targetType: 'organization',
          targetId: organizationId,
          details: { userId },
        });
      });
    },
  };
}

export function toMember({ userId, name, email, role, departments }: MemberRow): Member {
  return { user: { id: userId, name, email }, role: accountRoleOf(role), departments };
}
