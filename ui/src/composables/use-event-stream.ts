import { onScopeDispose } from 'vue';

/** Browsers reconnect after a lost connection, but not after another answer, such as a proxy's during a restart. */
const FIRST_RETRY_MS = 2_000;
const MAX_RETRY_MS = 60_000;

/** Handlers by the name of the event; each gets its data, parsed. */
type Handlers = Record<string, (data: never) => void>;

/** Listens to server-sent events of the registry for as long as the scope lives, over as many streams as it takes. */
export function useEventStream(url: string, handlers: Handlers): void {
  let events: EventSource;
  let timer: number | undefined;
  let retryMs = FIRST_RETRY_MS;
  const open = () => {
    events = new EventSource(url);
    events.onopen = () => {
      retryMs = FIRST_RETRY_MS;
    };
    events.onerror = () => {
      if (events.readyState !== EventSource.CLOSED) return;
      timer = window.setTimeout(open, retryMs);
      retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
    };
    for (const [name, handle] of Object.entries(handlers))
      events.addEventListener(name, ({ data }: MessageEvent<string>) => {
        handle(JSON.parse(data) as never);
      });
  };
  open();
  onScopeDispose(() => {
    window.clearTimeout(timer);
    events.close();
  });
}
