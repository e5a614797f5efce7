// Suggests the route that a request for an unknown one meant: another method, prefix or slash, or an ID with a
// slash.

import type { FastifyInstance, FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyInstance {
    knownRoutes: KnownRoute[];
  }
}

interface KnownRoute {
  method: string;
  /** Segments of the path; that of a parameter is `:id`, that of any rest `*`. */
  pattern: string[];
}

const MAX_SHOWN_LENGTH = 200;
/** Longer paths are no near miss: an ID has at most 214 characters. */
const MAX_SEGMENTS = 50;
const PREFIX = ['api', 'v1'];

/** Remembers the documented routes that are registered later. */
export function rememberRoutes(app: FastifyInstance): void {
  const known: KnownRoute[] = [];
  app.decorate('knownRoutes', known);
  app.addHook('onRoute', ({ method, url, schema }) => {
    if (schema === undefined || schema.hide) return;
    for (const one of [method].flat()) known.push({ method: one, pattern: segmentsOf(url) });
  });
}

/** Says, in one sentence, what there is instead of an unknown route. */
export function describeUnknownRoute({ method, url, originalUrl, server }: FastifyRequest): string {
  const path = pathOf(url);
  const basePath = originalUrl.endsWith(url) ? originalUrl.slice(0, -url.length) : '';
  const finding = `There is no route ${method} ${shown(basePath + path)}`;
  const advice = adviseOn(server.knownRoutes, method, path, basePath);
  return `${finding}: ${advice ?? `see ${basePath}/api-docs for the API`}.`;
}

/** Tells whether a path such as `/artefacts/` is that of a list with a slash too many, and not that of an empty ID. */
export function isWithSlashAtEnd({ method, url, params, server }: FastifyRequest): boolean {
  const isEmpty = Object.entries((params ?? {}) as Record<string, string>).some(
    ([name, value]) => name !== '*' && value === '',
  );
  const segments = segmentsOf(pathOf(url));
  return isEmpty && server.knownRoutes.some((route) => route.method === method && matches(route.pattern, segments));
}

function adviseOn(routes: KnownRoute[], method: string, path: string, basePath: string): string | undefined {
  const segments = segmentsOf(path);
  if (segments.length > MAX_SEGMENTS) return undefined;
  const methods = routes.filter(({ pattern }) => matches(pattern, segments)).map((route) => route.method);
  const isExact = path === `/${segments.join('/')}`;
  if (isExact && methods.length > 0 && !methods.includes(method))
    return `this path takes ${[...new Set(methods)].sort().join(', ')}`;
  const ofMethod = routes.filter((route) => route.method === method);
  const prefixed = withPrefix(segments);
  const meant = [...(isExact ? [] : [segments]), prefixed].find((candidate) =>
    ofMethod.some(({ pattern }) => matches(pattern, candidate)),
  );
  if (meant) return `did you mean ${shown(`${basePath}/${meant.join('/')}`)}`;
  const encoded = ofMethod
    .toSorted((one, other) => literals(other.pattern) - literals(one.pattern))
    .map(({ pattern }) => encodeSlashes(pattern, prefixed))
    .find((found) => found !== undefined);
  return (
    encoded &&
    `an ID is one segment of the path, with each / written as %2F: ${shown(`${basePath}/${encoded.join('/')}`)}`
  );
}

/** Adds the prefix of the API, also in place of half of it, another version or two prefixes. */
function withPrefix(segments: string[]): string[] {
  const start = segments.findIndex((segment) => !/^(?:api|v\d+)$/.test(segment));
  return [...PREFIX, ...segments.slice(start < 0 ? segments.length : start)];
}

/** Joins the segments that only together are the value of a parameter. @returns undefined unless the pattern fits */
function encodeSlashes(pattern: string[], segments: string[]): string[] | undefined {
  const at = pattern.findIndex((part) => part.startsWith(':'));
  if (at < 0) return undefined;
  for (let end = at + 2; end <= segments.length; end++) {
    const joined = [...segments.slice(0, at), segments.slice(at, end).join('%2F'), ...segments.slice(end)];
    if (matches(pattern, joined)) return joined;
  }
  return undefined;
}

function matches(pattern: string[], segments: string[]): boolean {
  const hasRest = pattern.at(-1) === '*';
  if (hasRest ? segments.length < pattern.length : segments.length !== pattern.length) return false;
  return pattern.every((part, index) => part.startsWith(':') || part === '*' || part === segments[index]);
}

function literals(pattern: string[]): number {
  return pattern.filter((part) => !part.startsWith(':') && part !== '*').length;
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? '';
}

function shown(path: string): string {
  return path.length > MAX_SHOWN_LENGTH ? `${path.slice(0, MAX_SHOWN_LENGTH)}…` : path;
}
