import { onScopeDispose, ref, shallowRef, watchEffect, type Ref, type ShallowRef } from 'vue';

export interface Loaded<T> {
  /** Last result; kept while reloading. */
  data: ShallowRef<T | undefined>;
  error: ShallowRef<Error | undefined>;
  loading: Ref<boolean>;
  reload: () => void;
}

/**
 * Loads now, and again whenever a reactive value changes that `load` reads before its first await. A new load aborts
 * the previous one, and results of an aborted load are dropped.
 */
export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const data = shallowRef<T>();
  const error = shallowRef<Error>();
  const loading = ref(true);
  const revision = ref(0);
  let current: AbortController | undefined;

  watchEffect(() => {
    void revision.value;
    current?.abort();
    const controller = (current = new AbortController());
    loading.value = true;
    load(controller.signal).then(
      (result) => {
        if (!controller.signal.aborted) [data.value, error.value, loading.value] = [result, undefined, false];
      },
      (reason: unknown) => {
        if (!controller.signal.aborted)
          [error.value, loading.value] = [reason instanceof Error ? reason : new Error(String(reason)), false];
      },
    );
  });
  onScopeDispose(() => current?.abort());
  return {
    data,
    error,
    loading,
    reload: () => {
      revision.value++;
    },
  };
}
