// Lists: filters, search, visibility and exact counts in SQL. Rows are found inside the indexes of the narrow table
// artefacts; only the documents of the page are fetched.

import { sql, type RawBuilder } from 'kysely';
import { accountOf, isUnlimited, type Caller } from '../access/index.ts';
import type { DialectName, Executor } from '../db/index.ts';
import { createCountCache } from './count-cache.ts';
import type { Audience } from './document.ts';

export interface ListFilters {
  /** What somebody looks for, see searchPatterns: all must occur. */
  patterns: readonly string[];
  category?: string | undefined;
  format?: string | undefined;
  /** In either language. */
  group?: string | undefined;
  packageName?: string | undefined;
  origin?: string | undefined;
  includeDeprecated: boolean;
}

export type ListSort = 'dataUpdatedAt' | 'name' | '-name';
export interface ListPage {
  sort: ListSort;
  skip: number;
  size: number;
}
export interface Listing {
  documents: string[];
  count: number;
}

type Sql = RawBuilder<unknown>;

/** Where rows come from, what they must fulfil, and whether they are few. */
interface Search {
  from: Sql;
  conditions: Sql[];
  few: boolean;
}

/** A trigram index finds patterns of at least three characters. */
const MIN_INDEXED_LENGTH = 3;
/**
 * Up to so many matches are found first and each is looked up; with more it is quicker to read the texts along the
 * list.
 */
const FEW_MATCHES = { sqlite: 5000, postgres: 1000 } as const;
const ORDERS: Record<ListSort, Sql> = {
  'dataUpdatedAt': sql`data_updated_at desc, id`,
  'name': sql`id`,
  '-name': sql`id desc`,
};

export function listRepository(executor: Executor, dialect: DialectName) {
  const counts = createCountCache();

  return {
    /** Returns the stored documents of one page, as JSON texts, and how many match in all. */
    async list(caller: Caller, filters: ListFilters, page: ListPage, audience: Audience): Promise<Listing> {
      // First of all: what is found from now on is never too old for this version.
      const at = await version();
      const { from, conditions, few } = await search(filters.patterns);
      const source = sql`${from} where ${sql.join([sql`1 = 1`, ...conditions, ...visibleTo(caller, few), ...filtered(filters)], sql` and `)}`;
      const counted = counts.get(at, JSON.stringify([isUnlimited(caller) || (accountOf(caller) ?? ''), filters]), () =>
        count(source),
      );
      return { documents: await documents(source, page, audience), count: await counted };
    },

    /** Lists distinct group names of a category in one language, in byte order. */
    async groups(category: string, locale: 'fr' | 'en'): Promise<string[]> {
      const column = locale === 'fr' ? 'group_fr' : 'group_en';
      const rows = await executor
        .selectFrom('artefacts')
        .select(`${column} as name`)
        .distinct()
        .where('category', '=', category)
        .where(column, 'is not', null)
        .orderBy(column)
        .execute();
      return rows.flatMap(({ name }) => name ?? []);
    },

    /** Counts everything, whoever may see it. */
    async totals(): Promise<{ artefacts: number; slots: number; referredBytes: number }> {
      const slots = await executor
        .selectFrom('slots')
        .select((eb) => [eb.fn.countAll<number>().as('count'), eb.fn.sum<number | null>('size').as('size')])
        .executeTakeFirstOrThrow();
      return { artefacts: await count(sql`artefacts`), slots: slots.count, referredBytes: Number(slots.size ?? 0) };
    },
  };

  /**
   * Finds what matches in the trigram index, unless that is much: then the first page is full long before all is
   * found.
   */
  async function search(patterns: readonly string[]): Promise<Search> {
    const indexed = patterns.filter((pattern) => pattern.length >= MIN_INDEXED_LENGTH);
    const found = indexed.length === 0 ? undefined : await findFew(indexed);
    if (!found) return { from: sql`artefacts`, conditions: patterns.map(contains), few: false };
    return {
      from: found,
      conditions: patterns.filter((pattern) => !indexed.includes(pattern)).map(contains),
      few: true,
    };
  }

  /** Returns the rows that hold all patterns, where they are few. */
  async function findFew(patterns: readonly string[]): Promise<Sql | undefined> {
    const few = FEW_MATCHES[dialect];
    if (dialect === 'postgres') {
      const { rows } = await sql<{
        id: string;
      }>`select id from artefacts where ${sql.join(patterns.map(contains), sql` and `)} limit ${few}`.execute(
        executor,
      );
      return rows.length === few
        ? undefined
        : sql`unnest(${rows.map(({ id }) => id)}::text[]) as found join artefacts on id = found`;
    }
    const match = patterns.map((pattern) => `"${pattern.replaceAll('"', '""')}"`).join(' AND ');
    const { rows } = await sql<{
      seq: number;
    }>`select rowid as seq from artefact_search where artefact_search match ${match} limit ${few}`.execute(executor);
    // A cross join keeps its order: first the matches, then their rows.
    return rows.length === few
      ? undefined
      : sql`(select value as found from json_each(${JSON.stringify(rows.map(({ seq }) => seq))})) cross join artefacts on seq = found`;
  }

  /** Cuts the page first, and joins documents to it alone. */
  async function documents(source: Sql, { sort, skip, size }: ListPage, audience: Audience): Promise<string[]> {
    const order = ORDERS[sort];
    const { rows } = await sql<{ json: string }>`select ${sql.ref(`${audience}_document`)} as json
      from (select id, data_updated_at from ${source} order by ${order} limit ${size} offset ${skip}) as page
      join artefact_documents on artefact_id = id order by ${order}`.execute(executor);
    return rows.map(({ json }) => json);
  }

  /** Changes with every committed change of any artefact, in whichever process. */
  async function version(): Promise<number> {
    const {
      rows: [row],
    } = await sql<{ version: number }>`select sum(version) as version from list_versions`.execute(executor);
    return Number(row?.version);
  }

  async function count(source: Sql): Promise<number> {
    const {
      rows: [row],
    } = await sql<{ count: number }>`select count(*) as count from ${source}`.execute(executor);
    return Number(row?.count);
  }
}

/**
 * The SQL of `canSee` in access/; a property test holds the two equal.
 *
 * @param few whether each row had better be looked up than all that is shared with the account be collected first
 */
function visibleTo(caller: Caller, few: boolean): Sql[] {
  if (isUnlimited(caller)) return [];
  const account = accountOf(caller);
  if (!account) return [sql`public = 1`];
  const department = account.department ? sql`department in ('', ${account.department})` : sql`department = ''`;
  const shared = sql`from artefact_access where account_type = ${account.type} and account_id = ${account.id} and ${department}`;
  // PostgreSQL would collect for an `exists` too; a count it has to make for each row.
  return [
    few
      ? sql`(public = 1 or (select count(*) ${shared} and artefact_id = id) > 0)`
      : sql`(public = 1 or id in (select artefact_id ${shared}))`,
  ];
}

function filtered({ includeDeprecated, category, format, packageName, origin, group }: ListFilters): Sql[] {
  const conditions: Sql[] = includeDeprecated ? [] : [sql`deprecated = 0`];
  if (category !== undefined) conditions.push(sql`category = ${category}`);
  if (format !== undefined) conditions.push(sql`format = ${format}`);
  if (packageName !== undefined) conditions.push(sql`package_name = ${packageName}`);
  if (origin !== undefined) conditions.push(sql`origin = ${origin}`);
  if (group !== undefined) conditions.push(sql`(group_fr = ${group} or group_en = ${group})`);
  return conditions;
}

function contains(pattern: string): Sql {
  const escaped = pattern.replace(/[\\%_]/g, (character) => `\\${character}`);
  return sql`search_text like ${`%${escaped}%`} escape '\\'`;
}
