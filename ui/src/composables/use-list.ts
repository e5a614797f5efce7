import type { Ref } from 'vue';
import { useLoad, type Loaded } from './use-load.ts';
import { useQuery } from './use-query.ts';

export const PAGE_SIZE = 50;

/** `count` is that of the whole list. */
interface Listed<Item> {
  results: Item[];
  count: number;
}

/** A list of the API, loaded whole or a page at a time. */
export interface List<Item> extends Loaded<Listed<Item>> {
  /** Counts from 1; a list that comes whole has none. */
  page?: Ref<number>;
}

export interface ListQuery {
  q: string | undefined;
  skip: number;
  size: number;
}

/** Loads a list a page at a time; the page, and what is searched for, stand in the address. */
export function useList<Item>(load: (signal: AbortSignal, query: ListQuery) => Promise<Listed<Item>>) {
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
