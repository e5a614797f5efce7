// Invitations to organisations. Superadmins and admins of the organisation create them; the holder of the link accepts
// it, once (acceptance.ts).

import { randomBytes } from 'node:crypto';
import { changeAs, enforce, policy, type Actor, type Caller, type CurrentActor } from '../../access/index.ts';
import type { Database, Tx } from '../../db/index.ts';
import { recordChange } from '../../events/index.ts';
import type { Mailer } from '../../mail/index.ts';
import { DepartmentNotFoundError, InvitationNotMailedError, OrganizationNotFoundError } from '../errors.ts';
import { createMailLimit } from '../mail-limit.ts';
import { administersOrganization, normalizeEmail, toIso } from '../operations.ts';
import { findOrganization } from '../organizations/repository.ts';
import type { PasswordHashing } from '../password.ts';
import { findUserByEmail } from '../users/repository.ts';
import { createAcceptance, idOf, notFound, type Accept } from './acceptance.ts';
import {
  deleteInvitation,
  deleteEarlierInvitations,
  findInvitation,
  findTeamId,
  insertInvitation,
  listInvitations,
  type InvitationRow,
} from './repository.ts';
import type { CreatedInvitation, Invitation, InvitationView, NewInvitation } from './schemas.ts';

export interface InvitationService {
  /**
   * Invites an e-mail address and replaces its earlier invitation. With a mail server, the link is mailed and shown to
   * nobody, so that accepting it proves the address; without one, only this result contains it.
   * @throws organization_not_found, department_not_found, too_many_attempts; invitation_not_mailed, with an earlier
   *   invitation kept
   */
  create(actor: Actor, organizationId: string, invitation: NewInvitation): Promise<CreatedInvitation>;
  /** Lists pending invitations. @throws organization_not_found */
  list(caller: Caller, organizationId: string): Promise<Invitation[]>;
  /** Deletes a pending invitation. @throws invitation_not_found */
  cancel(actor: Actor, organizationId: string, id: string): Promise<void>;
  /** Finds an invitation for the holder of its link. @throws invitation_not_found */
  find(token: string): Promise<InvitationView>;
  accept: Accept;
}

export interface InvitationServiceOptions {
  database: Database;
  publicUrl: string;
  passwords: PasswordHashing;
  mailer: Mailer | undefined;
  onError: (error: unknown) => void;
}

const LIFETIME_MS = 7 * 24 * 3_600_000;
const TOKEN_BYTES = 32;

export function createInvitationService({
  database,
  publicUrl,
  passwords,
  mailer,
  onError,
}: InvitationServiceOptions): InvitationService {
  const mails = createMailLimit(database, 'invitation-mail');
  // The token is in the fragment, which browsers do not send, so that no log has it.
  const urlOf = (token: string) => `${publicUrl}/invitation#token=${token}`;
  const manage = (organizationId: string) => (caller: Caller) => policy.manageOrganization(caller, organizationId);

  async function insert(
    tx: Tx,
    actor: CurrentActor,
    id: string,
    organizationId: string,
    { email, role, department }: NewInvitation,
  ): Promise<InvitationRow> {
    if (!(await findOrganization(tx, organizationId)))
      throw new OrganizationNotFoundError('No organisation has this ID.');
    const teamId = department === undefined ? null : ((await findTeamId(tx, organizationId, department)) ?? undefined);
    if (teamId === undefined)
      throw new DepartmentNotFoundError(`The organisation has no department ${department ?? ''}: create it first.`);
    await insertInvitation(tx, {
      id,
      organizationId,
      email: normalizeEmail(email),
      role,
      teamId,
      expiresAt: new Date(Date.now() + LIFETIME_MS),
      inviterId: actor.caller.kind === 'user' ? actor.caller.user.id : '',
      mailed: mailer !== undefined,
    });
    const row = await findInvitation(tx, id, new Date());
    if (!row) throw notFound();
    await recordChange(tx, actor, {
      action: 'organization.invite',
      targetType: 'organization',
      targetId: organizationId,
      details: { email: row.email, role, department, mailed: mailer !== undefined },
    });
    return row;
  }

  async function mail({ id, email, organizationName, expiresAt }: InvitationRow, token: string): Promise<void> {
    try {
      await mailer?.send({
        to: [email],
        subject: `Invitation to ${organizationName}`,
        text:
          `You are invited to join ${organizationName} in the registry at ${publicUrl}.\n\nTo accept, ` +
          `open this link before ${toIso(expiresAt)}:\n${urlOf(token)}\n\nIf you did not expect this ` +
          `invitation, ignore this mail.\n`,
      });
    } catch (error) {
      onError(error);
      await mails.uncount(email).catch(onError);
      await deleteInvitation(database.db, id).catch(onError);
      throw new InvitationNotMailedError(
        `The mail server did not accept the invitation for ${email}: check the address and try again. An ` +
          'administrator of the registry finds the reason in the log.',
        { cause: error },
      );
    }
  }

  return {
    async create(actor, organizationId, invitation) {
      enforce(manage(organizationId)(actor.caller));
      if (mailer) await mails.count(normalizeEmail(invitation.email));
      const token = randomBytes(TOKEN_BYTES).toString('base64url');
      const row = await changeAs(database, actor, manage(organizationId), (tx, current) =>
        insert(tx, current, idOf(token), organizationId, invitation),
      );
      await mail(row, token);
      await deleteEarlierInvitations(database.db, row);
      return { ...toInvitation(row), ...(!mailer && { url: urlOf(token) }) };
    },

    async list(caller, organizationId) {
      enforce(manage(organizationId)(caller));
      if (!(await findOrganization(database.db, organizationId)))
        throw new OrganizationNotFoundError('No organisation has this ID.');
      return (await listInvitations(database.db, organizationId, new Date())).map(toInvitation);
    },

    async cancel(actor, organizationId, id) {
      await changeAs(database, actor, manage(organizationId), async (tx, current) => {
        if (!(await deleteInvitation(tx, id, organizationId))) throw notFound();
        await recordChange(tx, current, {
          action: 'organization.cancel-invitation',
          targetType: 'organization',
          targetId: organizationId,
        });
      });
    },

    async find(token) {
      const row = await findInvitation(database.db, idOf(token), new Date());
      if (!row) throw notFound();
      return {
        ...fieldsOf(row),
        organization: { id: row.organizationId, name: row.organizationName },
        hasUser: (await findUserByEmail(database.db, row.email)) !== undefined,
      };
    },

    accept: createAcceptance({ database, passwords }),
  };
}

function toInvitation(row: InvitationRow): Invitation {
  return { id: row.id, ...fieldsOf(row), mailed: Boolean(row.mailed) };
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
