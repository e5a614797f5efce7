// Lists artefacts: filters, search, visibility and exact counts in SQL. Rows are selected in the indexes of the narrow
// table `artefacts`; documents are fetched for the page only.

import { sql, type RawBuilder } from 'kysely';
import { accountOf, isUnlimited, type Caller } from '../access/index.ts';
import type { Database } from '../db/index.ts';
import { createCountCache } from './count-cache.ts';
import { IS_OUTDATED } from './document-repository.ts';
import type { Audience } from './document.ts';

export interface ListFilters {
  /** Search patterns from searchPatterns(); all must match. */
  patterns: readonly string[];
  category?: string | undefined;
  format?: string | undefined;
  /** Matches in either language. */
  group?: string | undefined;
  packageName?: string | undefined;
  origin?: string | undefined;
  includeDeprecated: boolean;
}

/** What pages are sorted by, as in the indexes; rows with equal values are sorted by id. */
const SORT_COLUMNS = {
  'dataUpdatedAt': 'data_updated_at',
  'name': 'id',
  'version': 'version_key',
  'group.fr': 'group_fr',
  'group.en': 'group_en',
  'public': '(public + 0)',
} as const;
type SortField = keyof typeof SORT_COLUMNS;
/** A leading "-" reverses the order; `dataUpdatedAt` itself has the newest first. */
export type ListSort = SortField | `-${SortField}`;
export interface ListPage {
  sort: ListSort;
  skip: number;
  size: number;
}
export interface Listing {
  rows: ListedDocument[];
  count: number;
}
export interface ListedDocument {
  id: string;
  sizeBytes: number;
  /** Undefined if it is larger than its share of PAGE_BYTES, or outdated: to be read later. */
  json: string | undefined;
}

type Sql = RawBuilder<unknown>;

interface Search {
  from: Sql;
  conditions: Sql[];
  /** Whether `from` is a short list of matches instead of all artefacts. */
  isSelective: boolean;
}

/** Minimum length of a pattern that a trigram index finds. */
const MIN_INDEXED_LENGTH = 3;
/**
 * With fewer matches, the index finds them first and each row is looked up. With more, it is faster to test the texts
 * in list order.
 */
const MAX_LOOKUPS = { sqlite: 5000, postgres: 1000 } as const;
/**
 * Bytes of documents that are read with their page, each up to its share: four times what ordinary ones have on a page
 * of 1000. A document may have 200 KiB.
 */
export const PAGE_BYTES = 4 * 1024 * 1024;

export function listRepository({ db: executor, aside, dialect }: Pick<Database, 'db' | 'aside' | 'dialect'>) {
  const counts = createCountCache();

  return {
    /** Returns one page of stored documents, and the count of all matches. */
    async list(caller: Caller, filters: ListFilters, page: ListPage, audience: Audience): Promise<Listing> {
      // Read before the queries, so that the count is never older than this version.
      const listVersion = await version();
      const { from, conditions, isSelective } = await search(filters.patterns);
      const where = [...conditions, ...visibilityConditions(caller, isSelective), ...filterConditions(filters)];
      const source = sql`${from} where ${sql.join([sql`1 = 1`, ...where], sql` and `)}`;
      const viewer = isUnlimited(caller) || (accountOf(caller) ?? '');
      const total = counts.get(listVersion, JSON.stringify([viewer, filters]), () => count(source));
      return { rows: await documents(source, page, audience), count: await total };
    },

    /**
     * Returns documents by ID, as JSON texts; those that do not exist any more are missing. The text of an outdated
     * one is undefined.
     */
    async documentsOf(ids: readonly string[], audience: Audience): Promise<Map<string, string | undefined>> {
      const wanted =
        dialect === 'postgres'
          ? sql`unnest(${[...ids]}::text[]) as wanted_id`
          : sql`(select value as wanted_id from json_each(${JSON.stringify(ids)}))`;
      const json = sql.ref(`${audience}_document`);
      const { rows } = await sql<{ id: string; json: string | null }>`
        select artefact_id as id, case when ${IS_OUTDATED} then null else ${json} end as json
        from ${wanted} join artefact_documents on artefact_id = wanted_id`.execute(executor);
      return new Map(rows.map(({ id, json }) => [id, json ?? undefined]));
    },

    /** Lists the distinct group names of a category in one language, in byte order. */
    async groups(category: string, locale: 'fr' | 'en'): Promise<string[]> {
      const column = locale === 'fr' ? 'group_fr' : 'group_en';
      const rows = await aside
        .selectFrom('artefacts')
        .select(`${column} as name`)
        .distinct()
        .where('category', '=', category)
        .where(column, 'is not', null)
        .orderBy(column)
        .execute();
      return rows.flatMap(({ name }) => name ?? []);
    },

    /** Counts all artefacts and slots, regardless of visibility. */
    async totals(): Promise<{ artefacts: number; slots: number; referredBytes: number }> {
      const slots = await aside
        .selectFrom('slots')
        .select((eb) => [eb.fn.countAll<number>().as('count'), eb.fn.sum<number | null>('size').as('size')])
        .executeTakeFirstOrThrow();
      return { artefacts: await count(sql`artefacts`), slots: slots.count, referredBytes: Number(slots.size ?? 0) };
    },
  };

  /** Searches the trigram index, unless too many rows match: then scanning in list order fills the page sooner. */
  async function search(patterns: readonly string[]): Promise<Search> {
    const indexed = patterns.filter((pattern) => pattern.length >= MIN_INDEXED_LENGTH);
    const matches = indexed.length === 0 ? undefined : await findMatches(indexed);
    if (!matches) return { from: sql`artefacts`, conditions: patterns.map(contains), isSelective: false };
    return {
      from: matches,
      conditions: patterns.filter((pattern) => !indexed.includes(pattern)).map(contains),
      isSelective: true,
    };
  }

  /** Returns a source of the rows that contain all patterns, or undefined if there are too many. */
  async function findMatches(patterns: readonly string[]): Promise<Sql | undefined> {
    const limit = MAX_LOOKUPS[dialect];
    if (dialect === 'postgres') {
      const conditions = sql.join(patterns.map(contains), sql` and `);
      const query = sql<{ id: string }>`select id from artefacts where ${conditions} limit ${limit}`;
      const { rows } = await query.execute(executor);
      if (rows.length === limit) return undefined;
      return sql`unnest(${rows.map(({ id }) => id)}::text[]) as match_id join artefacts on id = match_id`;
    }
    const match = patterns.map((pattern) => `"${pattern.replaceAll('"', '""')}"`).join(' AND ');
    const { rows } = await sql<{ seq: number }>`select rowid as seq from artefact_search
      where artefact_search match ${match} limit ${limit}`.execute(executor);
    if (rows.length === limit) return undefined;
    const matches = JSON.stringify(rows.map(({ seq }) => seq));
    // SQLite never reorders a cross join: it reads the matches first, then looks up their rows.
    return sql`(select value as match_seq from json_each(${matches})) cross join artefacts on seq = match_seq`;
  }

  /** Selects the page first, then joins the documents of its rows only, in one statement: none is missing. */
  async function documents(
    source: Sql,
    { sort, skip, size }: ListPage,
    audience: Audience,
  ): Promise<ListedDocument[]> {
    const column = sql.raw(SORT_COLUMNS[fieldOf(sort)]);
    const range = sql`limit ${size} offset ${skip}`;
    const json = sql.ref(`${audience}_document`);
    const maxBytes = Math.floor(PAGE_BYTES / Math.max(size, 1));
    const { rows } = await sql<{ id: string; size: number; json: string | null }>`
      select id, octet_length(${json}) as size,
        case when octet_length(${json}) <= ${maxBytes} and not ${IS_OUTDATED} then ${json} end as json
      from (select id, ${column} as sort_key from ${source} order by ${orderBy(sort, column)} ${range}) as page
      join artefact_documents on artefact_id = id order by ${orderBy(sort, sql`sort_key`)}`.execute(executor);
    return rows.map((row) => ({ id: row.id, sizeBytes: row.size, json: row.json ?? undefined }));
  }

  /** Changes with every committed change of any artefact, in any process. */
  async function version(): Promise<number> {
    const {
      rows: [row],
    } = await sql<{ version: number }>`select sum(version) as version from list_versions`.execute(executor);
    return Number(row?.version);
  }

  async function count(source: Sql): Promise<number> {
    const {
      rows: [row],
    } = await sql<{ count: number }>`select count(*) as count from ${source}`.execute(aside);
    return Number(row?.count);
  }
}

function fieldOf(sort: ListSort): SortField {
  return (sort.startsWith('-') ? sort.slice(1) : sort) as SortField;
}

/** One index per column gives both directions, of which one is exactly the reverse of the other. */
function orderBy(sort: ListSort, column: Sql): Sql {
  const field = fieldOf(sort);
  const isReversed = field !== sort;
  const isDescending = isReversed !== (field === 'dataUpdatedAt');
  // Artefacts without a group come first, on both databases.
  const nulls = !field.startsWith('group.') ? sql`` : isDescending ? sql`nulls last` : sql`nulls first`;
  return sql`${column} ${isDescending ? sql`desc` : sql`asc`} ${nulls}, id ${isReversed ? sql`desc` : sql`asc`}`;
}

/**
 * Expresses `canSee` of access/ in SQL; a property test keeps the two equal.
 *
 * @param isSelective whether to look up the access of each row, instead of first collecting all rows shared with the
 *   account
 */
function visibilityConditions(caller: Caller, isSelective: boolean): Sql[] {
  if (isUnlimited(caller)) return [];
  const account = accountOf(caller);
  if (!account) return [sql`public = 1`];
  const department = account.department ? sql`department in ('', ${account.department})` : sql`department = ''`;
  const shared = sql`from artefact_access
    where account_type = ${account.type} and account_id = ${account.id} and ${department}`;
  // With `exists`, PostgreSQL would collect all shared rows as well; a count forces a lookup per row.
  return [
    isSelective
      ? sql`(public = 1 or (select count(*) ${shared} and artefact_id = id) > 0)`
      : sql`(public = 1 or id in (select artefact_id ${shared}))`,
  ];
}

function filterConditions({ includeDeprecated, category, format, packageName, origin, group }: ListFilters): Sql[] {
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
