// Lists and ends a user's own sessions.

import { changeAs, enforce, policy, type Actor, type Caller, type UserCaller } from '../../access/index.ts';
import type { Database } from '../../db/index.ts';
import { recordChange } from '../../events/index.ts';
import { SessionNotFoundError } from '../errors.ts';
import { toIso } from '../operations.ts';
import { deleteSession, listSessions } from './repository.ts';
import type { OwnSession } from './schemas.ts';
import { deleteSessionsOf } from '../users/repository.ts';

export interface OwnSessionService {
  /** Lists the sessions of the caller, most recently renewed first. */
  list(caller: Caller): Promise<OwnSession[]>;
  /** Ends one of them immediately. @throws session_not_found, also for a session of another user */
  end(actor: Actor, id: string): Promise<void>;
  /** Ends all but the caller's current session. */
  endOthers(actor: Actor): Promise<void>;
}

export function createOwnSessionService({ database }: { database: Database }): OwnSessionService {
  return {
    async list(caller) {
      enforce(policy.manageOwnSessions(caller));
      const { user, sessionId } = caller as UserCaller;
      const rows = await listSessions(database.db, user.id, new Date());
      return rows.map((row) => ({
        id: row.id,
        isCurrent: row.id === sessionId,
        createdAt: toIso(row.createdAt),
        prolongedAt: toIso(row.updatedAt),
        expiresAt: toIso(row.expiresAt),
        ...(row.ipAddress && { ip: row.ipAddress }),
        ...(row.userAgent && { userAgent: row.userAgent }),
      }));
    },
    async end(actor, id) {
      await changeAs(database, actor, policy.manageOwnSessions, async (tx, current) => {
        const { user } = current.caller as UserCaller;
        if (!(await deleteSession(tx, user.id, id)))
          throw new SessionNotFoundError('You have no session with this ID: it may have ended.');
        await recordChange(tx, current, { action: 'session.end', targetType: 'session', targetId: id });
      });
    },
    async endOthers(actor) {
      await changeAs(database, actor, policy.manageOwnSessions, async (tx, current) => {
        const { user, sessionId } = current.caller as UserCaller;
        await deleteSessionsOf(tx, user.id, sessionId);
        await recordChange(tx, current, { action: 'session.end-others', targetType: 'user', targetId: user.id });
      });
    },
  };
}
