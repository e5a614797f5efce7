import type { Ref } from 'vue';
import { useLoad, type Loaded } from './use-load.ts';
import { useQuery } from './use-query.ts';

export const PAGE_SIZE = 50;

/** One page of results; `count` is that of the whole list. */
interface ListResponse<Item> {
  results: Item[];
  count: number;
}

/** A list of the API, loaded at once or page by page. */
export interface List<Item> extends Loaded<ListResponse<Item>> {
  /** Counts from 1; undefined if the list is loaded at once. */
  page?: Ref<number>;
}

export interface ListQuery {
  q: string | undefined;
  skip: number;
  size: number;
}

/** Loads a list page by page, with the page and the search text in the URL. */
export function useList<Item>(load: (signal: AbortSignal, query: ListQuery) => Promise<ListResponse<Item>>) {
  const {
    fields: { q },
    page,
  } = useQuery('q');
  const loaded = useLoad((signal) =>
    load(signal, {
      q: q.value || undefined,
      skip: (page.value - 1) * PAGE_SIZE,
      size: PAGE_SIZE,
    }),
  );
  return { ...loaded, q, page };
}
