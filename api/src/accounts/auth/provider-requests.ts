// Notes which requests to the OpenID provider fail, and how: better-auth reports most failures without address and
// status.

import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { providerText } from './provider-log.ts';

/** Messages of the channels of undici, which is Node's fetch. */
interface FetchMessage {
  request: { origin: string | URL; method: string; path: string };
  response?: { statusCode: number; headers: Buffer[] };
  error?: Error & { code?: string };
}

const FIRST_FAILURE = 400;

/** Runs work, and adds a line for each request of its `fetch` that fails or is refused. */
export async function collectFailedRequests<T>(failures: string[], work: () => Promise<T>): Promise<T> {
  const isOfCall = new AsyncLocalStorage<true>();
  // Answers arrive outside of the call.
  const requests = new WeakSet();
  const channels = {
    'undici:request:create'({ request }: FetchMessage) {
      if (isOfCall.getStore()) requests.add(request);
    },
    'undici:request:headers'({ request, response }: FetchMessage) {
      if (!response || response.statusCode < FIRST_FAILURE || !requests.has(request)) return;
      const { statusCode, headers } = response;
      failures.push(`${describe(request)} answered ${statusCode}${challengeIn(headers)}`);
    },
    'undici:request:error'({ request, error }: FetchMessage) {
      if (requests.has(request))
        failures.push(`${describe(request)} failed: ${error?.code ?? error?.name ?? 'no reason given'}`);
    },
  };
  const forEachChannel = (change: typeof subscribe | typeof unsubscribe) => {
    for (const [name, listener] of Object.entries(channels)) change(name, listener as (message: unknown) => void);
  };
  forEachChannel(subscribe);
  try {
    return await isOfCall.run(true, work);
  } finally {
    forEachChannel(unsubscribe);
  }
}

/** Without the query, in which providers may expect secrets. */
function describe({ method, origin, path }: FetchMessage['request']): string {
  return `${method} ${String(origin)}${path.split('?', 1)[0] ?? ''}`;
}

/** The reason that a resource such as the user info endpoint gives (RFC 6750, section 3). */
function challengeIn(headers: Buffer[]): string {
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (String(headers[at]).toLowerCase() !== 'www-authenticate') continue;
    const reasons = [...String(headers[at + 1]).matchAll(/\b(?:error|error_description)="([^"]*)"/g)];
    return reasons.length === 0 ? '' : ` (${reasons.map(([, text = '']) => providerText(text)).join(': ')})`;
  }
  return '';
}
