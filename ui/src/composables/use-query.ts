import { computed, type WritableComputedRef } from 'vue';
import { useRoute, useRouter, type LocationQueryRaw } from 'vue-router';

/**
 * Reads and writes query parameters of the page's URL, as text; '' if a parameter is absent. A change goes back to the
 * first page, unless `keepPage`.
 */
export function useQuery<const Name extends string>(...names: Name[]) {
  const route = useRoute();
  const router = useRouter();

  function set(changes: Record<string, string>, { keepPage = 'page' in changes } = {}): void {
    const query: LocationQueryRaw = { ...route.query, ...(!keepPage && { page: '' }), ...changes };
    const present = Object.entries(query).filter(
      ([name, value]) => value !== '' && !(name === 'page' && value === '1'),
    );
    void router.push({ query: Object.fromEntries(present) });
  }
  const field = (name: string) =>
    computed({
      get: () => String(route.query[name] ?? ''),
      set: (value) => {
        set({ [name]: value ?? '' });
      },
    });
  return {
    fields: Object.fromEntries(names.map((name) => [name, field(name)])) as Record<Name, WritableComputedRef<string>>,
    /** Counts from 1. */
    page: computed({
      get: () => Math.max(1, Math.trunc(Number(route.query.page)) || 1),
      set: (page: number) => {
        set({ page: String(page) });
      },
    }),
    set,
    isFiltered: computed(() => names.some((name) => Boolean(route.query[name]))),
    clear: () => {
      set(Object.fromEntries(names.map((name) => [name, ''])));
    },
  };
}

/** A boolean query parameter. */
export function useFlag(name: string): WritableComputedRef<boolean> {
  const flag = useQuery(name).fields[name]!;
  return computed({
    get: () => flag.value !== '',
    set: (isOn) => {
      flag.value = isOn ? 'true' : '';
    },
  });
}
