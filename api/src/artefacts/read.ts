// Reads and lists the documents that a caller may see.

import { canSeeProvenance, enforce, policy, type Caller } from '../access/index.ts';
import type { Database } from '../db/index.ts';
import type { Artefact } from './artefact.ts';
import { authorizeRead } from './authorize-read.ts';
import type { Audience } from './document.ts';
import { documentRepository, type DocumentRow } from './document-repository.ts';
import { CategoryInvalidError } from './errors.ts';
import { renderList, type ListBody } from './list-body.ts';
import { listRepository, type ListFilters, type ListPage } from './list-repository.ts';
import { searchPatterns } from './operations.ts';
import { artefactRepository } from './repository.ts';
import type { ListQuery } from './schemas.ts';

/** Larger page sizes are clamped. */
const MAX_PAGE_SIZE = 1000;
const DEFAULT_PAGE_SIZE = 10;

export function createRead({ database, categories }: { database: Database; categories: readonly string[] }) {
  const artefacts = artefactRepository(database.db);
  const documents = documentRepository(database);
  const lists = listRepository(database);

  async function get(caller: Caller, id: string): Promise<DocumentRow> {
    return authorizeRead(artefacts, caller, id, 'seeArtefact', await documents.find(id, audienceOf(caller)));
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
      const page: ListPage = { sort, skip, size: Math.min(size, MAX_PAGE_SIZE) };
      const audience = audienceOf(caller);
      const readPage = () => lists.list(caller, filters, page, audience);
      return renderList(await readPage(), {
        documentsOf: (ids) => lists.documentsOf(ids, audience),
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

function audienceOf(caller: Caller): Audience {
  return canSeeProvenance(caller) ? 'full' : 'limited';
}

function assertKnownCategory(category: string, categories: readonly string[]): void {
  if (!categories.includes(category))
    throw new CategoryInvalidError(
      `The category ${JSON.stringify(category)} does not exist: use one of ${categories.join(', ')}.`,
    );
}
