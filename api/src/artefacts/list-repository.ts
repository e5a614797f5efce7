// Lists: filters, search, visibility and exact counts in SQL, over stored documents.

import { sql, type ExpressionBuilder, type ExpressionWrapper, type SqlBool } from 'kysely';
import { accountOf, isUnlimited, type Caller } from '../access/index.ts';
import type { DialectName, Executor, Schema } from '../db/index.ts';
import type { Audience } from './document.ts';

export interface ListFilters {
  /** Folded words, all of which must occur. */
  words: string[];
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

type Condition = ExpressionWrapper<Schema, 'artefacts', SqlBool>;
type Builder = ExpressionBuilder<Schema, 'artefacts'>;

/** A trigram index finds words of at least three characters. */
const MIN_INDEXED_LENGTH = 3;

export function listRepository(executor: Executor, dialect: DialectName) {
  const matching = (caller: Caller, filters: ListFilters) => executor.selectFrom('artefacts')
    .where((eb) => eb.and([...visibleTo(eb, caller), ...filtered(eb, filters), ...searched(eb, dialect, filters.words)]));

  return {
    /** Returns the stored documents of one page, as JSON texts. */
    async page(caller: Caller, filters: ListFilters, { sort, skip, size }: ListPage, audience: Audience): Promise<string[]> {
      const column = audience === 'full' ? 'full_document' : 'document';
      const query = matching(caller, filters).select(`${column} as json`).limit(size).offset(skip);
      const sorted = sort === 'dataUpdatedAt'
        ? query.orderBy('data_updated_at', 'desc').orderBy('id')
        : query.orderBy('id', sort === 'name' ? 'asc' : 'desc');
      return (await sorted.execute()).map((row) => row.json);
    },

    async count(caller: Caller, filters: ListFilters): Promise<number> {
      const { count } = await matching(caller, filters).select((eb) => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
      return Number(count);
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
      const { artefacts } = await executor.selectFrom('artefacts').select((eb) => eb.fn.countAll<number>().as('artefacts')).executeTakeFirstOrThrow();
      const slots = await executor.selectFrom('slots').select((eb) => [eb.fn.countAll<number>().as('count'), eb.fn.sum<number | null>('size').as('size')]).executeTakeFirstOrThrow();
      return { artefacts: Number(artefacts), slots: Number(slots.count), referredBytes: Number(slots.size ?? 0) };
    },
  };
}

/** The SQL of `canSee` in access/; a property test holds the two equal. */
function visibleTo(eb: Builder, caller: Caller): Condition[] {
  if (isUnlimited(caller)) return [];
  const isPublic = eb('public', '=', 1);
  const account = accountOf(caller);
  if (!account) return [isPublic];
  const shared = eb.selectFrom('artefact_access').select('artefact_id')
    .where('account_type', '=', account.type).where('account_id', '=', account.id)
    .where('department', 'in', account.department ? ['', account.department] : ['']);
  return [eb.or([isPublic, eb('id', 'in', shared)])];
}

function filtered(eb: Builder, filters: ListFilters): Condition[] {
  const conditions: Condition[] = [];
  if (!filters.includeDeprecated) conditions.push(eb('deprecated', '=', 0));
  if (filters.category !== undefined) conditions.push(eb('category', '=', filters.category));
  if (filters.format !== undefined) conditions.push(eb('format', '=', filters.format));
  if (filters.packageName !== undefined) conditions.push(eb('package_name', '=', filters.packageName));
  if (filters.origin !== undefined) conditions.push(eb('origin', '=', filters.origin));
  if (filters.group !== undefined) conditions.push(eb.or([eb('group_fr', '=', filters.group), eb('group_en', '=', filters.group)]));
  return conditions;
}

function searched(eb: Builder, dialect: DialectName, words: readonly string[]): Condition[] {
  const indexed = dialect === 'sqlite' ? words.filter((word) => word.length >= MIN_INDEXED_LENGTH) : [];
  const scanned = words.filter((word) => !indexed.includes(word));
  const conditions = scanned.map((word) => eb(sql<string>`search_text`, 'like', sql<string>`${`%${escapeLike(word)}%`} escape '\\'`));
  if (indexed.length > 0) {
    const match = indexed.map((word) => `"${word.replaceAll('"', '""')}"`).join(' AND ');
    conditions.push(eb('seq', 'in', sql<number>`(select rowid from artefact_search where artefact_search match ${match})`));
  }
  return conditions;
}

function escapeLike(word: string): string { return word.replace(/[\\%_]/g, (character) => `\\${character}`); }
