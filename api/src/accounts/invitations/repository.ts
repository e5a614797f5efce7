// Invitations in better-auth's table. A department is a team there, with its ID in the table and its slug on the wire.

import type { Executor } from '../../db/index.ts';

export interface InvitationRow {
  /** SHA-256 of the secret token. */
  id: string;
  organizationId: string;
  organizationName: string;
  email: string;
  role: string | null;
  department: string | null;
  expiresAt: Date | string;
  mailed: number | boolean;
}

const PENDING = 'pending';

export async function insertInvitation(
  executor: Executor,
  row: {
    id: string;
    organizationId: string;
    email: string;
    role: string;
    teamId: string | null;
    expiresAt: Date;
    inviterId: string;
    mailed: boolean;
  },
): Promise<void> {
  await executor
    .insertInto('invitation')
    .values({ ...row, status: PENDING, createdAt: new Date() })
    .execute();
}

export async function findTeamId(
  executor: Executor,
  organizationId: string,
  department: string,
): Promise<string | undefined> {
  return (
    await executor
      .selectFrom('team')
      .select('id')
      .where('organizationId', '=', organizationId)
      .where('slug', '=', department)
      .executeTakeFirst()
  )?.id;
}

/** Lists the invitations that are neither accepted nor expired. */
export function listInvitations(executor: Executor, organizationId: string, now: Date): Promise<InvitationRow[]> {
  return selectPending(executor, now)
    .where('i.organizationId', '=', organizationId)
    .orderBy('i.email')
    .orderBy('i.id')
    .execute();
}

export function findInvitation(executor: Executor, id: string, now: Date): Promise<InvitationRow | undefined> {
  return selectPending(executor, now).where('i.id', '=', id).executeTakeFirst();
}

/** Deletes an invitation; exactly one of several concurrent calls returns true. */
export async function deleteInvitation(executor: Executor, id: string, organizationId?: string): Promise<boolean> {
  const deleted = await executor
    .deleteFrom('invitation')
    .where('id', '=', id)
    .$if(organizationId !== undefined, (query) => query.where('organizationId', '=', organizationId ?? ''))
    .returning('id')
    .executeTakeFirst();
  return deleted !== undefined;
}

/** Deletes the earlier invitations of the same address to the same organisation. */
export async function deleteEarlierInvitations(
  executor: Executor,
  { id, organizationId, email }: Pick<InvitationRow, 'id' | 'organizationId' | 'email'>,
): Promise<void> {
  await executor
    .deleteFrom('invitation')
    .where('organizationId', '=', organizationId)
    .where('email', '=', email)
    .where('id', '<>', id)
    .where('createdAt', '<=', (eb) =>
      eb.selectFrom('invitation as own').select('own.createdAt').where('own.id', '=', id),
    )
    .execute();
}

function selectPending(executor: Executor, now: Date) {
  return executor
    .selectFrom('invitation as i')
    .innerJoin('organization as o', 'o.id', 'i.organizationId')
    .leftJoin('team as t', 't.id', 'i.teamId')
    .select([
      'i.id',
      'i.organizationId',
      'o.name as organizationName',
      'i.email',
      'i.role',
      't.slug as department',
      'i.expiresAt',
      'i.mailed',
    ])
    .where('i.status', '=', PENDING)
    .where('i.expiresAt', '>', now);
}
