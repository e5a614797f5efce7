import { onScopeDispose, watch } from 'vue';
import { answerOf, api, pathTo } from '../../api/client.ts';
import type { Remote } from '../../api/types.ts';
import { useLoad, type Loaded } from '../../composables/use-load.ts';

/** Loads a remote registry and keeps it up to date by server-sent events, whichever replica synchronises it. */
export function useRemote(id: string): Loaded<Remote> {
  const loaded = useLoad((signal) =>
    answerOf(api.GET('/api/v1/remote-registries/{id}', { signal, params: { path: { id } } })),
  );
  let events: EventSource | undefined;
  watch(loaded.data, () => {
    if (events) return;
    events = new EventSource(`${pathTo('api/v1/remote-registries', id)}/events`);
    events.addEventListener('sync', ({ data }: MessageEvent<string>) => {
      loaded.data.value = JSON.parse(data) as Remote;
    });
  });
  onScopeDispose(() => events?.close());
  return loaded;
}
