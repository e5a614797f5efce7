// Turns a failed connection into one sentence: what was found at the address, and what to do.

/** Of a certificate that no known authority has signed. */
const UNKNOWN_AUTHORITY = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
const NO_ROUTE = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'EHOSTDOWN']);
const NO_ANSWER = new Set(['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT']);
/** Before any response: of fetch, and of node:http. */
const CLOSED = /^(?:other side closed|socket hang up|read ECONNRESET)$/;
/** What OpenSSL makes of an answer that is not TLS, by way of fetch and of node:https. */
const NOT_TLS = /wrong version number|packet length too long|record layer failure|unexpected message|http request/i;

/**
 * Describes why a request to a URL got no response: `the registry at <address> cannot be reached: <reason>`.
 * @param address the registry as its user gave it; default: the origin of the URL
 */
export function describeConnectionFailure(url: URL, error: unknown, address = url.origin): string {
  return `the registry at ${address} cannot be reached: ${reasonOf(url, error)}`;
}

function reasonOf(url: URL, error: unknown): string {
  const deepest = deepestOf(error);
  const code = 'code' in deepest ? String(deepest.code) : '';
  const text = toOneLine(deepest.message || code || deepest.name);
  const place = `${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`;
  if (url.protocol === 'https:' && (NOT_TLS.test(text) || /before secure TLS connection/.test(text)))
    return `it answers no TLS; did you mean http://${url.host}?`;
  if (url.protocol === 'http:' && (code.startsWith('HPE_') || /Expected HTTP\//.test(text)))
    return `it answers no HTTP; did you mean https://${url.host}?`;
  if (url.protocol === 'http:' && CLOSED.test(text))
    return `it closed the connection without an answer; try again, or https://${url.host} if it requires TLS`;
  if (text === 'bad port')
    return `fetch connects to no port ${url.port}, which is another protocol's; use another one`;
  if (UNKNOWN_AUTHORITY.has(code))
    return `its certificate is of an unknown authority (${code}); name the authority's file in NODE_EXTRA_CA_CERTS`;
  switch (code) {
    case 'ENOTFOUND':
      return hostReason(url, deepest, 'there is no host');
    case 'EAI_AGAIN':
      return hostReason(url, deepest, 'no name server knows the host');
    case 'ECONNREFUSED':
      return `nothing listens at ${place} (${text}); check the address, and that the registry runs`;
    case 'CERT_HAS_EXPIRED':
      return 'its certificate has expired; renew it';
    case 'CERT_NOT_YET_VALID':
      return 'its certificate is not valid yet; check the clock of this machine';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `its certificate is for another name; use the name that it is for (${text})`;
  }
  if (NO_ROUTE.has(code)) return `there is no route to ${place} (${code}); check the network, or set HTTPS_PROXY`;
  if (NO_ANSWER.has(code)) return `${place} does not answer (${code}); check the address, or set HTTPS_PROXY`;
  const [, trace] = /(?:write EPROTO )?\w+:error:\w+:SSL routines:\w*:([^:]+):/.exec(text) ?? [];
  return trace === undefined ? text : `TLS: ${trace}`;
}

/** The name may be that of a proxy. */
function hostReason({ hostname }: URL, error: Error, reason: string): string {
  const name = 'hostname' in error && typeof error.hostname === 'string' ? error.hostname : hostname;
  const code = 'code' in error ? String(error.code) : '';
  return `${reason} ${name} (${code}); check the address, or set HTTPS_PROXY if a proxy leads to it`;
}

/** The outermost error of fetch is only "fetch failed"; several attempts are one error with all of theirs. */
function deepestOf(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return deepestOf(error.errors[0]);
  return error.cause instanceof Error && !isOwn(error) ? deepestOf(error.cause) : error;
}

/** A sentence of ours about a proxy says more than its cause. */
function isOwn(error: Error): boolean {
  return error.message.startsWith('the proxy ');
}

/** Joins the lines of a text. */
export function toOneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
