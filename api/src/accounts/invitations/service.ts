// Invitations to organisations. Superadmins and admins of the organisation create them; the holder of the link accepts
// it, once.

import { randomBytes } from 'node:crypto';
import { enforce, policy, UnauthenticatedError, type Actor, type Caller } from '../../access/index.ts';
import { appendAudit } from '../../audit/index.ts';
import type { Database, Tx } from '../../db/index.ts';
import type { Mailer } from '../../mail/index.ts';
import {
  DepartmentNotFoundError,
  InvitationFieldsError,
  InvitationForAnotherError,
  InvitationNotFoundError,
  OrganizationNotFoundError,
} from '../errors.ts';
import { administersOrganization, normalizeEmail, toIso } from '../operations.ts';
import { addDepartment, saveMember } from '../organizations/member-repository.ts';
import { findOrganization } from '../organizations/repository.ts';
import type { PasswordHashing } from '../password.ts';
import { findUserByEmail, insertUser } from '../users/repository.ts';
import {
  deleteInvitation,
  deleteInvitationsOf,
  findInvitation,
  findTeamId,
  insertInvitation,
  listInvitations,
  type InvitationRow,
} from './repository.ts';
import type { Acceptance, Invitation, InvitationView, NewInvitation } from './schemas.ts';

export interface InvitationService {
  /**
   * Invites an e-mail address, replaces its earlier invitation, and mails the link if there is a mail server.
   * @throws organization_not_found, department_not_found
   */
  create(actor: Actor, organizationId: string, invitation: NewInvitation): Promise<Invitation>;
  /** Lists pending invitations. @throws organization_not_found */
  list(caller: Caller, organizationId: string): Promise<Invitation[]>;
  /** Deletes a pending invitation. @throws invitation_not_found */
  cancel(actor: Actor, organizationId: string, id: string): Promise<void>;
  /** Finds an invitation for the holder of its link. @throws invitation_not_found */
  find(id: string): Promise<InvitationView>;
  /**
   * Adds a member: the user with the invited address, who must be signed in, or a new user.
   * @throws invitation_not_found, unauthenticated, invitation_for_another, invitation_fields_invalid
   */
  accept(actor: Actor, id: string, acceptance: Acceptance): Promise<{ email: string }>;
}

export interface InvitationServiceOptions {
  database: Database;
  publicUrl: string;
  passwords: PasswordHashing;
  mailer: Mailer | undefined;
  onError: (error: unknown) => void;
}

const LIFETIME_MS = 7 * 24 * 3_600_000;
const ID_BYTES = 32;

export function createInvitationService({
  database,
  publicUrl,
  passwords,
  mailer,
  onError,
}: InvitationServiceOptions): InvitationService {
  const urlOf = (id: string) => `${publicUrl}/invitations/${id}`;
  const toInvitation = (row: InvitationRow): Invitation => ({ id: row.id, ...fieldsOf(row), url: urlOf(row.id) });

  async function mail(row: InvitationRow): Promise<boolean> {
    if (!mailer) return false;
    try {
      await mailer.send({
        to: [row.email],
        subject: `Invitation to ${row.organizationName}`,
        text:
          `You are invited to join ${row.organizationName} in the registry at ${publicUrl}.\n\nTo accept, ` +
          `open this link before ${toIso(row.expiresAt)}:\n${urlOf(row.id)}\n\nIf you did not expect this ` +
          `invitation, ignore this mail.\n`,
      });
      return true;
    } catch (error) {
      onError(error);
      return false;
    }
  }

  async function join(tx: Tx, actor: Actor, row: InvitationRow, userId: string): Promise<void> {
    if (!(await deleteInvitation(tx, row.id))) throw notFound();
    await saveMember(tx, { organizationId: row.organizationId, userId, role: row.role ?? 'member' });
    if (row.department !== null) await addDepartment(tx, row.organizationId, userId, row.department);
    await appendAudit(tx, actor, {
      action: 'organization.accept-invitation',
      targetType: 'organization',
      targetId: row.organizationId,
      details: { userId, role: row.role, email: row.email },
    });
  }

  return {
    async create(actor, organizationId, { email, role, department }) {
      enforce(policy.manageOrganization(actor.caller, organizationId));
      const id = randomBytes(ID_BYTES).toString('base64url');
      const address = normalizeEmail(email);
      const row = await database.transaction(async (tx) => {
        if (!(await findOrganization(tx, organizationId)))
          throw new OrganizationNotFoundError('No organisation has this ID.');
        const teamId =
          department === undefined ? null : ((await findTeamId(tx, organizationId, department)) ?? undefined);
        if (teamId === undefined)
          throw new DepartmentNotFoundError(
            `The organisation has no department ${department ?? ''}: create it first.`,
          );
        const inviterId = actor.caller.kind === 'user' ? actor.caller.user.id : '';
        await deleteInvitationsOf(tx, organizationId, address);
        await insertInvitation(tx, {
          id,
          organizationId,
          email: address,
          role,
          teamId,
          expiresAt: new Date(Date.now() + LIFETIME_MS),
          inviterId,
        });
        await appendAudit(tx, actor, {
          action: 'organization.invite',
          targetType: 'organization',
          targetId: organizationId,
          details: { email: address, role, department },
        });
        const inserted = await findInvitation(tx, id, new Date());
        if (!inserted) throw notFound();
        return inserted;
      });
      return { ...toInvitation(row), mailed: await mail(row) };
    },

    async list(caller, organizationId) {
      enforce(policy.manageOrganization(caller, organizationId));
      if (!(await findOrganization(database.db, organizationId)))
        throw new OrganizationNotFoundError('No organisation has this ID.');
      return (await listInvitations(database.db, organizationId, new Date())).map(toInvitation);
    },

    async cancel(actor, organizationId, id) {
      enforce(policy.manageOrganization(actor.caller, organizationId));
      await database.transaction(async (tx) => {
        if (!(await deleteInvitation(tx, id, organizationId))) throw notFound();
        await appendAudit(tx, actor, {
          action: 'organization.cancel-invitation',
          targetType: 'organization',
          targetId: organizationId,
        });
      });
    },

    async find(id) {
      const row = await findInvitation(database.db, id, new Date());
      if (!row) throw notFound();
      return {
        ...fieldsOf(row),
        organization: { id: row.organizationId, name: row.organizationName },
        hasUser: (await findUserByEmail(database.db, row.email)) !== undefined,
      };
    },

    async accept(actor, id, { name, password }) {
      const row = await findInvitation(database.db, id, new Date());
      if (!row) throw notFound();
      const { caller } = actor;
      if (await findUserByEmail(database.db, row.email)) {
        if (caller.kind !== 'user')
          throw new UnauthenticatedError(
            `A user with the address ${row.email} exists: sign in as that user to accept.`,
          );
        if (normalizeEmail(caller.user.email) !== row.email)
          throw new InvitationForAnotherError(`This invitation is for ${row.email}: sign in as that user to accept.`);
        await database.transaction((tx) => join(tx, actor, row, caller.user.id));
        return { email: row.email };
      }
      if (name === undefined || password === undefined)
        throw new InvitationFieldsError(
          'No user with this address exists yet: give a name and a password to create one.',
          {
            errors: (['name', 'password'] as const)
              .filter((field) => ({ name, password })[field] === undefined)
              .map((field) => ({ path: `/${field}`, message: 'must be given' })),
          },
        );
      const passwordHash = await passwords.hash(password);
      await database.transaction(async (tx) => {
        const user = await insertUser(tx, { email: row.email, name: name.trim(), isAdmin: false, passwordHash });
        // Created concurrently.
        if (!user)
          throw new UnauthenticatedError(
            `A user with the address ${row.email} exists: sign in as that user to accept.`,
          );
        await appendAudit(tx, actor, {
          action: 'user.create',
          targetType: 'user',
          targetId: user.id,
          details: { email: user.email, isAdmin: false, by: 'invitation' },
        });
        await join(tx, actor, row, user.id);
      });
      return { email: row.email };
    },
  };
}

function fieldsOf({
  email,
  role,
  department,
  expiresAt,
}: InvitationRow): Pick<Invitation, 'email' | 'role' | 'department' | 'expiresAt'> {
  return {
    email,
    role: administersOrganization(role) ? 'admin' : 'member',
    expiresAt: toIso(expiresAt),
    ...(department !== null && { department }),
  };
}

function notFound(): Error {
  return new InvitationNotFoundError(
    'This invitation does not exist, has expired, was cancelled, or was already accepted: ask for a new one.',
  );
}
