import { computed, type ComputedRef } from 'vue';
import { answerOf, api } from '../../api/client.ts';
import { useLoad } from '../../composables/use-load.ts';

/** The categories of this registry; empty until they are loaded. */
export function useCategories(): ComputedRef<string[]> {
  const { data } = useLoad((signal) => answerOf(api.GET('/api/v1/categories', { signal })));
  return computed(() => data.value?.results ?? []);
}
