// Reads the events that a registry has, page by page.

import {
  describeConnectionFailure,
  describeOtherAnswer,
  fetchDirectly,
  RegistryError,
  type BerthEvent,
  type RegistryOptions,
} from '@berth-registry/lib-node';

export interface EventSelection {
  /** As the registry takes them: `artefact.updated`, `artefact.`. Empty: all. */
  types: readonly string[];
  /** Empty: events of all artefacts, and others. */
  artefactIds: readonly string[];
  /** ID of an event, `oldest` or `latest`. */
  after: string;
}

type Source = Pick<RegistryOptions, 'registryUrl' | 'apiKey' | 'secretKey' | 'signal'>;

interface Page {
  results: BerthEvent[];
  next: string;
}

const PAGE_SIZE = 500;
/** Some hundred times what a page usually has. */
const MAX_PAGE_BYTES = 64 * 1024 * 1024;
const TIMEOUT_MS = 30_000;

/**
 * Yields events, oldest first, until there is nothing newer.
 * @throws RegistryError if the registry refuses, cannot be reached, or sends something else; the signal's reason
 */
export async function* listEvents(source: Source, selection: EventSelection): AsyncGenerator<BerthEvent> {
  for (let { after } = selection; ;) {
    const { results, next } = await readPage(source, { ...selection, after });
    yield* results;
    if (next === after) return;
    after = next;
  }
}

async function readPage(source: Source, { types, artefactIds, after }: EventSelection): Promise<Page> {
  const url = new URL(`${source.registryUrl}/api/v1/events`);
  url.searchParams.set('after', after);
  url.searchParams.set('size', String(PAGE_SIZE));
  if (types.length > 0) url.searchParams.set('types', types.join(','));
  for (const id of artefactIds) url.searchParams.append('artefact', id);
  const { status, text } = await get(source, url);
  const body = parse(text);
  if (status >= 400) {
    const detail = typeof body?.['detail'] === 'string' ? body['detail'] : describeOtherAnswer(url, status, text);
    const code = typeof body?.['code'] === 'string' ? body['code'] : `http_${status}`;
    throw new RegistryError(`the registry responded with ${status}: ${detail.replace(/\s+/g, ' ')}`, { status, code });
  }
  if (status !== 200 || !isPage(body))
    throw new RegistryError(
      `the response (${status}) is not a page of events; is ${source.registryUrl} the address of a registry?`,
      { status, code: 'bad_answer' },
    );
  return body;
}

async function get(source: Source, url: URL): Promise<{ status: number; text: string }> {
  const { apiKey, secretKey, signal } = source;
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const response = await fetchDirectly(url, {
      headers: {
        ...(apiKey !== undefined && { 'x-api-key': apiKey }),
        ...(secretKey !== undefined && { 'x-secret-key': secretKey }),
      },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    return { status: response.status, text: await readText(response) };
  } catch (cause) {
    signal?.throwIfAborted();
    throw new RegistryError(describeConnectionFailure(url, cause), { status: 0, code: 'unreachable', cause });
  }
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length > MAX_PAGE_BYTES) throw new Error(`its response has more than ${MAX_PAGE_BYTES} bytes`);
  }
  return text;
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isPage(body: Record<string, unknown> | Page | undefined): body is Page {
  if (body === undefined || typeof body['next'] !== 'string' || !Array.isArray(body['results'])) return false;
  return (body['results'] as (Partial<BerthEvent> | null)[]).every(
    (event) => typeof event?.id === 'string' && typeof event.type === 'string' && isObject(event.data),
  );
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
