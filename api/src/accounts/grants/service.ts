// Access grants: which accounts may download. users/ and organizations/ manage who belongs to an account.

import { randomUUID } from 'node:crypto';
import {
  accountOf,
  changeAs,
  enforce,
  normaliseAccount,
  policy,
  type Account,
  type Actor,
  type Caller,
} from '../../access/index.ts';
import type { AccessGrantsTable, Database, Executor } from '../../db/index.ts';
import { recordChange } from '../../events/index.ts';
import { GrantExistsError, GrantNotFoundError } from '../errors.ts';
import type { Page, PageQuery } from '../schemas.ts';
import { findAccountName, findGrantFor, insertGrant, listGrants, deleteGrant } from './repository.ts';
import type { Grant } from './schemas.ts';

export interface GrantService {
  /** Grants an account access to the registry. @throws grant_exists */
  create(actor: Actor, account: Account): Promise<Grant>;
  /** Lists all grants, newest first. */
  list(caller: Caller, query: PageQuery): Promise<Page<Grant>>;
  /** Finds the grant that covers the account the caller acts for. @throws access_grant_not_found */
  findOwn(caller: Caller): Promise<Grant>;
  /** Revokes a grant; further downloads of the account are refused at once. @throws access_grant_not_found */
  remove(actor: Actor, id: string): Promise<void>;
  /** Tells whether a grant covers an account; one without a department covers all departments. */
  hasGrant(account: Account, executor?: Executor): Promise<boolean>;
}

export function createGrantService({ database }: { database: Database }): GrantService {
  return {
    async create(actor, account) {
      return changeAs(database, actor, policy.createGrant, async (tx, current) => {
        const { type, id, name, department = '' } = normaliseAccount(account);
        const row = {
          id: randomUUID(),
          account_type: type,
          account_id: id,
          account_name: (await findAccountName(tx, account)) ?? name ?? null,
          department,
          granted_by: JSON.stringify(granterOf(current.caller)),
          granted_at: new Date().toISOString(),
        };
        if (!(await insertGrant(tx, row))) throw new GrantExistsError('This account already has an access grant.');
        const grant = toGrant(row);
        await recordChange(tx, current, {
          action: 'access-grant.create',
          targetType: 'access-grant',
          targetId: row.id,
          details: { account: grant.account },
        });
        return grant;
      });
    },

    async list(caller, query) {
      enforce(policy.listGrants(caller));
      const { results, count } = await listGrants(database.db, query);
      return { results: results.map(toGrant), count };
    },

    async findOwn(caller) {
      enforce(policy.seeOwnGrant(caller));
      const account = accountOf(caller);
      const row = account && (await findGrantFor(database.db, account));
      if (!row)
        throw new GrantNotFoundError(
          'Your account has no access grant: ask an administrator of the registry for one.',
        );
      return toGrant(row);
    },

    async remove(actor, id) {
      await changeAs(database, actor, policy.deleteGrant, async (tx, current) => {
        const row = await deleteGrant(tx, id);
        if (!row) throw new GrantNotFoundError('No access grant has this ID.');
        await recordChange(tx, current, {
          action: 'access-grant.delete',
          targetType: 'access-grant',
          targetId: id,
          details: { account: toGrant(row).account },
        });
      });
    },

    async hasGrant(account, executor = database.db) {
      return (await findGrantFor(executor, account)) !== undefined;
    },
  };
}

function granterOf(caller: Caller): Grant['grantedBy'] {
  return caller.kind === 'user' ? { userId: caller.user.id, userName: caller.user.name } : { internal: true };
}

function toGrant(row: AccessGrantsTable): Grant {
  const account = {
    type: row.account_type === 'user' ? ('user' as const) : ('organization' as const),
    id: row.account_id,
    ...(row.account_name !== null && { name: row.account_name }),
    ...(row.department !== '' && { department: row.department }),
  };
  return {
    _id: row.id,
    account,
    grantedBy: JSON.parse(row.granted_by) as Grant['grantedBy'],
    grantedAt: row.granted_at,
  };
}
