// Reads and lists the documents that a caller may see.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { canSeeProvenance, enforce, isAllowed, notVisible, policy, type Caller } from '../access/index.ts';
import type { Database } from '../db/index.ts';
import type { Artefact } from './artefact.ts';
import { authorizeRead } from './authorize-read.ts';
import { renderDocument, type Audience, type RenderedDocument } from './document.ts';
import { documentRepository, type DocumentRow } from './document-repository.ts';
import { CategoryInvalidError } from './errors.ts';
import { renderList, type ListBody } from './list-body.ts';
import { listRepository, type ListFilters, type ListPage, type ListSort } from './list-repository.ts';
import { searchPatterns } from './operations.ts';
import { artefactRepository } from './repository.ts';
import { DEFAULT_PAGE_SIZE, type ListQuery } from './schemas.ts';

/** Only superadmins sort by these; others get the default order instead of an error. */
const RESTRICTED_SORTS: ReadonlySet<string> = new Set(['public', '-public', 'vulnerabilities']);

export function createRead({ database, categories }: { database: Database; categories: readonly string[] }) {
  const artefacts = artefactRepository(database.db);
  const documents = documentRepository(database);
  const lists = listRepository(database);

  async function get(caller: Caller, id: string): Promise<Pick<DocumentRow, 'json' | 'etag'>> {
    const audience = audienceOf(caller);
    const row = await authorizeRead(artefacts, caller, id, 'seeArtefact', await documents.find(id, audience));
    const document = row.outdated ? await renderAgain(id, audience) : row;
    if (!document) throw notVisible();
    return document;
  }

  /** Renders a document that an older version of the program has stored; undefined if it does not exist any more. */
  async function renderAgain(id: string, audience: Audience): Promise<RenderedDocument | undefined> {
    const stored = await artefacts.find(id);
    return stored && renderDocument(stored.artefact, stored.slots, audience);
  }

  /** Reads documents for a list; those that do not exist any more are missing. */
  async function documentsOf(ids: readonly string[], audience: Audience): Promise<Map<string, string>> {
    const texts = new Map<string, string>();
    for (const [id, stored] of await lists.documentsOf(ids, audience)) {
      if (stored === undefined) await nextTurn();
      const text = stored ?? (await renderAgain(id, audience))?.json;
      if (text !== undefined) texts.set(id, text);
    }
    return texts;
  }

  return {
    /** Returns the stored document. @throws artefact_not_found if it does not exist or is not visible */
    get,

    /** Returns the `thumbnail` field of the document. @throws artefact_not_found */
    async thumbnail(caller: Caller, id: string): Promise<Artefact['thumbnail']> {
      return (JSON.parse(Buffer.from((await get(caller, id)).json).toString()) as Pick<Artefact, 'thumbnail'>)
        .thumbnail;
    },

    /** Returns `{ results, count }` as JSON; as a stream if it is long. @throws category_invalid */
    async list(caller: Caller, query: ListQuery): Promise<ListBody> {
      if (query.category !== undefined) assertKnownCategory(query.category, categories);
      const {
        q = '',
        sort = 'dataUpdatedAt',
        skip = 0,
        size = DEFAULT_PAGE_SIZE,
        includeDeprecated = false,
        category,
        format,
        group,
        packageName,
        origin,
      } = query;
      const filters: ListFilters = {
        patterns: searchPatterns(q),
        category,
        format,
        group,
        packageName,
        origin,
        includeDeprecated,
      };
      const page: ListPage = { sort: sortFor(caller, sort), skip, size };
      const audience = audienceOf(caller);
      const readPage = () => lists.list(caller, filters, page, audience);
      return renderList(await readPage(), {
        documentsOf: (ids) => documentsOf(ids, audience),
        readAgain: readPage,
      });
    },

    /** Lists the distinct group names of a category. @throws category_invalid */
    async groups(caller: Caller, category: string, locale: 'fr' | 'en'): Promise<string[]> {
      enforce(policy.listGroups(caller));
      assertKnownCategory(category, categories);
      return lists.groups(category, locale);
    },

    /** The configured categories. */
    categories: [...categories],

    totals: () => lists.totals(),
  };
}

/** Returns the order that the caller gets. Nothing is known about vulnerabilities yet. */
function sortFor(caller: Caller, sort: NonNullable<ListQuery['sort']>): ListSort {
  const isRestricted = RESTRICTED_SORTS.has(sort) && !isAllowed(policy.sortByAccess(caller));
  return isRestricted || sort === 'vulnerabilities' ? 'dataUpdatedAt' : sort;
}

function audienceOf(caller: Caller): Audience {
  return canSeeProvenance(caller) ? 'full' : 'limited';
}

function assertKnownCategory(category: string, categories: readonly string[]): void {
  if (!categories.includes(category))
    throw new CategoryInvalidError(
      `The category ${JSON.stringify(category)} does not exist: use one of ${categories.join(', ')}.`,
    );
}
