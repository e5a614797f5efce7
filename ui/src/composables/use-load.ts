import { onScopeDispose, ref, shallowRef, watchEffect, type Ref, type ShallowRef } from 'vue';

export interface Loaded<T> {
  /** What came last; stays while it is loaded again. */
  data: ShallowRef<T | undefined>;
  error: ShallowRef<Error | undefined>;
  loading: Ref<boolean>;
  reload: () => void;
}

/**
 * Loads now, and again whenever something reactive changes that `load` reads before its first await. An answer that
 * is overtaken by a later question is dropped.
 */
export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const data = shallowRef<T>();
  const error = shallowRef<Error>();
  const loading = ref(true);
  const turn = ref(0);
  let current: AbortController | undefined;

  watchEffect(() => {
    void turn.value;
    current?.abort();
    const mine = (current = new AbortController());
    loading.value = true;
    load(mine.signal).then(
      (answer) => {
        if (!mine.signal.aborted) [data.value, error.value, loading.value] = [answer, undefined, false];
      },
      (reason: unknown) => {
        if (!mine.signal.aborted)
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
      turn.value++;
    },
  };
}
