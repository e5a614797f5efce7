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
export interface ListPage { sort: ListSort; skip: number; size: number }
export interface Listing { documents: string[]; count: number }

type Sql = RawBuilder<unknown>;

/** Where rows come from, and what they must fulfil. */
interface Search { from: Sql; conditions: Sql[] }

/** A trigram index finds patterns of at least three characters. */
const MIN_INDEXED_LENGTH = 3;
/** Up to so many matches of its full-text index SQLite looks each up; with more it is quicker to read the texts along the list. */
const FEW_MATCHES = 5000;
const ORDERS: Record<ListSort, Sql> = { 'dataUpdatedAt': sql`data_updated_at desc, id`, 'name': sql`id`, '-name': sql`id desc` };

export function listRepository(executor: Executor, dialect: DialectName) {
  const counts = createCountCache();

  return {
    /** Returns the stored documents of one page, as JSON texts, and how many match in all. */
    async list(caller: Caller, filters: ListFilters, page: ListPage, audience: Audience): Promise<Listing> {
      // First of all: what is found from now on is never too old for this version.
      const at = await version();
      const { from, conditions } = dialect === 'sqlite' ? await sqliteSearch(filters.patterns) : searchByReading(filters.patterns);
      const source = sql`${from} where ${sql.join([sql`1 = 1`, ...conditions, ...visibleTo(caller), ...filtered(filters)], sql` and `)}`;
      const counted = counts.get(at, JSON.stringify([isUnlimited(caller) || (accountOf(caller) ?? ''), filters]), () => count(source));
      return { documents: await documents(source, page, audience), count: await counted };
    },

    /** Lists distinct group names of a category in one language, in byte order. */
    async groups(category: string, locale: 'fr' | 'en'): Promise<string[]> {
      const column = locale === 'fr' ? 'group_fr' : 'group_en';
      const rows = await executor.selectFrom('artefacts').select(`${column} as name`).distinct()
        .where('category', '=', category).where(column, 'is not', null).orderBy(column).execute();
      return rows.flatMap(({ name }) => name ?? []);
    },

    /** Counts everything, whoever may see it. */
    async totals(): Promise<{ artefacts: number; slots: number; referredBytes: number }> {
      const slots = await executor.selectFrom('slots').select((eb) => [eb.fn.countAll<number>().as('count'), eb.fn.sum<number | null>('size').as('size')]).executeTakeFirstOrThrow();
      return { artefacts: await count(sql`artefacts`), slots: slots.count, referredBytes: Number(slots.size ?? 0) };
    },
  };

  /** Looks up the matches of the full-text index, unless they are many: then the first page is full long before they are all found. */
  async function sqliteSearch(patterns: readonly string[]): Promise<Search> {
    const indexed = patterns.filter((pattern) => pattern.length >= MIN_INDEXED_LENGTH);
    if (indexed.length === 0) return searchByReading(patterns);
    const match = indexed.map((pattern) => `"${pattern.replaceAll('"', '""')}"`).join(' AND ');
    const { rows } = await sql<{ seq: number }>`select rowid as seq from artefact_search where artefact_search match ${match} limit ${FEW_MATCHES}`.execute(executor);
    if (rows.length === FEW_MATCHES) return searchByReading(patterns);
    // A cross join keeps its order: first the matches, then their rows.
    const from = sql`(select value as found from json_each(${JSON.stringify(rows.map(({ seq }) => seq))})) cross join artefacts on seq = found`;
    return { from, conditions: patterns.filter((pattern) => !indexed.includes(pattern)).map(contains) };
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
    const { rows: [row] } = await sql<{ version: number }>`select sum(version) as version from list_versions`.execute(executor);
    return Number(row?.version);
  }

  async function count(source: Sql): Promise<number> {
    const { rows: [row] } = await sql<{ count: number }>`select count(*) as count from ${source}`.execute(executor);
    return Number(row?.count);
  }
}

/** The SQL of `canSee` in access/; a property test holds the two equal. */
function visibleTo(caller: Caller): Sql[] {
  if (isUnlimited(caller)) return [];
  const account = accountOf(caller);
  if (!account) return [sql`public = 1`];
  const department = account.department ? sql`department in ('', ${account.department})` : sql`department = ''`;
  return [sql`(public = 1 or id in (select artefact_id from artefact_access where account_type = ${account.type} and account_id = ${account.id} and ${department}))`];
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

/** Reads the texts themselves; PostgreSQL finds candidates in its trigram index. */
function searchByReading(patterns: readonly string[]): Search { return { from: sql`artefacts`, conditions: patterns.map(contains) }; }

function contains(pattern: string): Sql {
  const escaped = pattern.replace(/[\\%_]/g, (character) => `\\${character}`);
  return sql`search_text like ${`%${escaped}%`} escape '\\'`;
}
