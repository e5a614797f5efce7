// Speaks with the platform's page that frames this one, in the protocol of @data-fair/frame: that page shows the
// address, the breadcrumbs and the notices, and fits the height. Without a frame, nothing here has an effect.

import { inject, type InjectionKey } from 'vue';
import type { RouterHistory } from 'vue-router';
import { allowsOrigin, namedOrigins } from './frame-ancestors.ts';

export interface Crumb {
  text: string;
  /** Path of the page below the registry, such as `/admin`; the current page has none. */
  to?: string;
}

export interface Notice {
  type: 'success' | 'error';
  title: string;
  detail?: string;
}

/** What the parent wants to be told, as it answers `init`. */
interface ParentOptions {
  resize?: 'yes' | 'no' | 'auto';
  syncParams?: boolean;
  syncPath?: boolean;
  stateChangeEvents?: boolean;
  /** Address that the parent has given to the frame. */
  src?: string | null;
}

export type Frame = ReturnType<typeof createFrame>;
export const frameKey: InjectionKey<Frame> = Symbol('frame');

export function useFrame(): Frame {
  const frame = inject(frameKey);
  if (!frame) throw new Error('The application provides no frame.');
  return frame;
}

/**
 * Greets the parent. Messages go to its origin alone, and only if FRAME_ANCESTORS allows it; those from elsewhere are
 * ignored.
 * @param base URL of this registry with a trailing slash: the parent cannot lead the frame out of it
 */
export function createFrame(base: URL) {
  const { parent } = window;
  const sources = document.querySelector<HTMLMetaElement>('meta[name="frame-ancestors"]')?.content ?? '';
  const isAllowed = (origin: string) => allowsOrigin(sources, origin, base.origin);
  /** Origin of the parent, once it has answered. */
  let answeredFrom: string | undefined;
  let followsAddress = false;
  let fitsHeight = false;
  let isReady = false;
  let trail: Crumb[] = [];
  let content: HTMLElement | undefined;
  let lastHeight = 0;
  let goTo: ((path: string) => void) | undefined;

  if (parent !== window) {
    window.addEventListener('message', receive);
    for (const origin of possibleParents(sources, base.origin).filter(isAllowed))
      parent.postMessage(['df-child', 'init'], origin);
  }

  return {
    /** Reports navigation to the parent. The parent then keeps the history of both, so that nothing is pushed here. */
    watchHistory<T extends RouterHistory>(history: T): T {
      const { push, replace } = history;
      history.push = (to, data) => {
        if (!followsAddress) push(to, data);
        else report('push', () => replace(to, data));
      };
      history.replace = (to, data) => report('replace', () => replace(to, data));
      return history;
    },
    /** @param go receives paths below the registry that the parent asks for, such as `/admin?page=2` */
    onNavigation(go: (path: string) => void): void {
      goTo = go;
    },
    /** Fits the frame to an element whose height does not depend on that of the frame. */
    fitTo(element: HTMLElement): void {
      content = element;
      new ResizeObserver(sendHeight).observe(element);
    },
    /** Tells the parent that the page is shown. */
    ready(): void {
      isReady = true;
      send(['df-child', 'ready']);
    },
    showTrail(crumbs: Crumb[]): void {
      trail = crumbs;
      send({ breadcrumbs: trail });
    },
    /** Lets the parent show a notice. @returns false without a parent that does */
    notify(notice: Notice): boolean {
      send(['df-child', 'notif', notice]);
      return answeredFrom !== undefined;
    },
  };

  function send(message: unknown): void {
    if (answeredFrom !== undefined) parent.postMessage(message, answeredFrom);
  }

  function receive({ source, origin, data }: MessageEvent<unknown>): void {
    if (source !== parent || !isAllowed(origin) || origin !== (answeredFrom ?? origin) || !Array.isArray(data)) return;
    const [sender, kind, value] = data as unknown[];
    if (sender !== 'df-parent') return;
    if (kind === 'init' && typeof value === 'object' && value !== null) start(origin, value);
    if (kind === 'updateSrc' && answeredFrom !== undefined && typeof value === 'string') navigate(value);
  }

  function start(origin: string, { resize, syncParams, syncPath, stateChangeEvents, src }: ParentOptions): void {
    answeredFrom = origin;
    followsAddress = Boolean(syncParams ?? false) || Boolean(syncPath ?? false) || Boolean(stateChangeEvents);
    fitsHeight = resize !== 'no';
    // A redirect may have come before the answer.
    if (followsAddress && src && src !== location.href) sendAddress('replace');
    if (trail.length > 0) send({ breadcrumbs: trail });
    sendHeight();
    if (isReady) send(['df-child', 'ready']);
  }

  function navigate(src: string): void {
    const url = URL.parse(src, base);
    if (url?.origin !== base.origin) return;
    // The root also without its slash.
    const path = `${url.pathname}/` === base.pathname ? base.pathname : url.pathname;
    if (path.startsWith(base.pathname)) goTo?.(path.slice(base.pathname.length - 1) + url.search + url.hash);
  }

  function report(action: 'push' | 'replace', move: () => void): void {
    const before = location.href;
    move();
    if (followsAddress && location.href !== before) sendAddress(action);
  }

  function sendAddress(action: 'push' | 'replace'): void {
    send(['df-child', 'stateChange', action, location.href]);
  }

  function sendHeight(): void {
    if (!fitsHeight || !content) return;
    const height = Math.ceil(content.getBoundingClientRect().bottom + window.scrollY);
    if (height === lastHeight) return;
    lastHeight = height;
    send(['df-child', 'height', height]);
  }
}

/**
 * Origins that the parent may have: its own where the browser tells it, else whatever the referrer and the list name.
 * Browsers deliver no message to another origin than the one it is addressed to.
 */
function possibleParents(sources: string, own: string): string[] {
  const ancestors = location.ancestorOrigins as DOMStringList | undefined;
  const known = ancestors?.[0];
  if (known !== undefined) return [known];
  const referrer = URL.parse(document.referrer)?.origin;
  return [...new Set([...(referrer ? [referrer] : []), ...namedOrigins(sources, own)])];
}
