import { effectScope, watch } from 'vue';
import { answerOf, api, pathTo } from '../../api/client.ts';
import type { Remote } from '../../api/types.ts';
import { useEventStream } from '../../composables/use-event-stream.ts';
import { useLoad, type Loaded } from '../../composables/use-load.ts';

/** Loads a remote registry and keeps it up to date by server-sent events, whichever replica synchronises it. */
export function useRemote(id: string): Loaded<Remote> {
  const loaded = useLoad((signal) =>
    answerOf(api.GET('/api/v1/remote-registries/{id}', { signal, params: { path: { id } } })),
  );
  const scope = effectScope();
  // Not of a registry that is not there.
  watch(
    loaded.data,
    () => {
      scope.run(() => {
        useEventStream(`${pathTo('api/v1/remote-registries', id)}/events`, {
          sync: (remote: Remote) => {
            loaded.data.value = remote;
          },
        });
      });
    },
    { once: true },
  );
  return loaded;
}
