// Every route of the API with the expected answer for each caller: one row per request, one column per caller.

/** The columns, in order. Acme has an access grant; initech and hooli have none. */
export const COLUMNS = [
  'anonymous',
  'an internal service',
  'an internal service for acme',
  'an upload key',
  'a read key of acme',
  'a read key whose grant was taken back',
  'a plain member of acme',
  'an admin of acme',
  'an admin of initech',
  'a superadmin',
] as const;
export type Column = (typeof COLUMNS)[number];

/**
 * Words of the cells: `ok` is the answer of the row, the others are refusals by the policy. `404:user_not_found` is an
 * answer of that one caller.
 */
export const REFUSALS = {
  unauth: '401 unauthenticated',
  forbid: '403 forbidden',
  acting: '403 account_read_only',
  grant: '403 no_access_grant',
  hidden: '404 artefact_not_found',
  unshared: '403 not_shared',
} as const;

export interface Row {
  /** Route as in the OpenAPI document: `GET /api/v1/artefacts/{id}`. */
  route: string;
  /** Path of the request. */
  path: string;
  /** JSON, or an empty multipart form. */
  body?: object | 'form';
  /** tus headers in addition to Tus-Resumable. */
  tus?: Record<string, string>;
  /** Status, with the code of a problem, for callers that the policy allows. */
  ok: string;
  cells: string;
}

const ALL = 'ok ok ok ok ok ok ok ok ok ok';
const SIGNED_IN = 'unauth forbid forbid forbid forbid forbid ok ok ok ok';
const SUPERADMIN = 'unauth forbid forbid forbid forbid forbid forbid forbid forbid ok';
const CURATORS = 'unauth ok acting forbid forbid forbid forbid forbid forbid ok';
const UPLOADERS = 'unauth ok acting ok forbid forbid forbid forbid forbid ok';
/** Whoever may see artefacts of an account. */
const READERS = 'unauth ok ok forbid ok ok ok ok ok ok';
/** Of these, who reads what is of no artefact. */
const UNLIMITED = 'unauth ok forbid forbid forbid forbid forbid forbid forbid ok';
const OF_ACME = 'unauth forbid forbid forbid forbid forbid forbid ok forbid ok';

/** Cells for an artefact that is public, shared with acme, or private. */
const SEE = {
  public: ALL,
  shared: 'hidden ok ok hidden ok hidden ok ok hidden ok',
  private: 'hidden ok unshared hidden hidden hidden hidden hidden hidden ok',
};
const DOWNLOAD = { public: 'unauth ok ok unauth ok grant ok ok grant ok', shared: SEE.shared, private: SEE.private };

const v1 = (
  method: string,
  template: string,
  ok: string,
  cells: string,
  { path = template, body, tus }: { path?: string } & Pick<Row, 'body' | 'tus'> = {},
): Row => ({
  route: `${method} /api/v1${template}`,
  path: `/api/v1${path}`,
  ok,
  cells,
  ...(body !== undefined && { body }),
  ...(tus && { tus }),
});

/** Creates the rows of a route that reads an artefact, one per visibility. */
const reading = (method: string, template: string, ok: string, cells: typeof SEE): Row[] =>
  Object.entries(cells).map(([artefact, row]) =>
    v1(method, template, ok, row, { path: template.replace('{id}', artefact).replace('{*}', 'index.js') }),
  );

const NOBODY = { path: '/users/nobody' };
const NOWHERE = { path: '/organizations/nowhere' };
const NO_REMOTE = '/remote-registries/https%3A%2F%2Fnowhere.example.org';
const NO_UPLOAD = { path: '/uploads/none' };
const owner = (id: string) => ({ type: 'organization', id });

export const ROWS: Row[] = [
  v1('GET', '/session', '200', ALL),
  v1('PUT', '/session/account', '403 account_not_allowed', SIGNED_IN, { body: owner('nowhere') }),

  v1('POST', '/users', '409 email_taken', SUPERADMIN, {
    body: { email: 'admin@example.org', name: 'Again', password: 'correct horse' },
  }),
  v1('GET', '/users', '200', SUPERADMIN),
  v1('GET', '/users/{id}', '404 user_not_found', SUPERADMIN, NOBODY),
  v1('PATCH', '/users/{id}', '404 user_not_found', SUPERADMIN, { ...NOBODY, body: { name: 'New' } }),
  v1('DELETE', '/users/{id}', '404 user_not_found', SUPERADMIN, NOBODY),
  v1('DELETE', '/users/{id}/provider-link', '404 user_not_found', SUPERADMIN, { path: '/users/nobody/provider-link' }),
  v1('POST', '/users/{id}/password-link', '404 user_not_found', SUPERADMIN, { path: '/users/nobody/password-link' }),
  v1('GET', '/sessions', '200', SIGNED_IN),
  v1('DELETE', '/sessions', '204', SIGNED_IN),
  v1('DELETE', '/sessions/{id}', '404 session_not_found', SIGNED_IN, { path: '/sessions/none' }),
  v1('POST', '/organizations/{id}/invitations', '404 organization_not_found', SUPERADMIN, {
    path: '/organizations/nowhere/invitations',
    body: { email: 'uma@example.org', role: 'member' },
  }),
  v1('GET', '/organizations/{id}/invitations', '200', OF_ACME, { path: '/organizations/acme/invitations' }),
  v1('DELETE', '/organizations/{id}/invitations/{invitation}', '404 invitation_not_found', OF_ACME, {
    path: '/organizations/acme/invitations/none',
  }),
  v1('POST', '/invitations/find', '404 invitation_not_found', ALL, { body: { token: 'none' } }),
  v1('POST', '/invitations/accept', '404 invitation_not_found', ALL, { body: { token: 'none' } }),

  v1('POST', '/trusted-publishers', '400 trusted_publisher_invalid', SUPERADMIN, {
    body: { name: 'CI', provider: 'gitlab', issuer: 'http://example.org', repository: 'acme/gpkg' },
  }),
  v1('GET', '/trusted-publishers', '200', SUPERADMIN),
  v1('DELETE', '/trusted-publishers/{id}', '404 trusted_publisher_not_found', SUPERADMIN, {
    path: '/trusted-publishers/none',
  }),
  v1('POST', '/upload-tokens', '401 identity_token_invalid', ALL, { body: { token: 'none' } }),

  v1('POST', '/organizations', '409 organization_exists', SUPERADMIN, { body: { id: 'acme', name: 'Again' } }),
  v1('GET', '/organizations', '200', SUPERADMIN),
  v1('GET', '/organizations/{id}', '200', OF_ACME, { path: '/organizations/acme' }),
  v1('PATCH', '/organizations/{id}', '404 organization_not_found', SUPERADMIN, { ...NOWHERE, body: { name: 'New' } }),
  v1('DELETE', '/organizations/{id}', '404 organization_not_found', SUPERADMIN, NOWHERE),
  v1('PUT', '/organizations/{id}/members/{userId}', '404 organization_not_found', SUPERADMIN, {
    path: '/organizations/nowhere/members/nobody',
    body: { role: 'admin' },
  }),
  v1('DELETE', '/organizations/{id}/members/{userId}', '404 member_not_found', OF_ACME, {
    path: '/organizations/acme/members/nobody',
  }),
  v1('PUT', '/organizations/{id}/departments/{department}', '404 organization_not_found', SUPERADMIN, {
    path: '/organizations/nowhere/departments/geo',
    body: { name: 'Geo' },
  }),
  v1('DELETE', '/organizations/{id}/departments/{department}', '404 department_not_found', SUPERADMIN, {
    path: '/organizations/acme/departments/nowhere',
  }),

  v1('POST', '/access-grants', '409 grant_exists', CURATORS, { body: { account: owner('acme') } }),
  v1('GET', '/access-grants', '200', SUPERADMIN),
  v1('GET', '/accounts', '200', SUPERADMIN, { path: '/accounts?q=acme' }),
  v1(
    'GET',
    '/access-grants/me',
    '200',
    'unauth forbid forbid forbid forbid forbid ok ok 404:access_grant_not_found 404:access_grant_not_found',
  ),
  v1('DELETE', '/access-grants/{id}', '404 access_grant_not_found', SUPERADMIN, { path: '/access-grants/none' }),

  v1('POST', '/api-keys', '201', SUPERADMIN, { body: { type: 'upload', name: 'CI' } }),
  v1('POST', '/api-keys', '201', OF_ACME, { body: { type: 'read', name: 'reader', owner: owner('acme') } }),
  v1('POST', '/api-keys', '403 no_access_grant', 'unauth forbid forbid forbid forbid forbid forbid forbid ok ok', {
    body: { type: 'read', name: 'reader', owner: owner('initech') },
  }),
  v1('GET', '/api-keys', '200', SIGNED_IN),
  v1('POST', '/api-keys/{id}/rotate', '404 api_key_not_found', SIGNED_IN, { path: '/api-keys/none/rotate', body: {} }),
  v1('DELETE', '/api-keys/{id}', '404 api_key_not_found', SIGNED_IN, { path: '/api-keys/none' }),

  v1('GET', '/artefacts', '200', ALL),
  v1('GET', '/categories', '200', ALL),
  v1('GET', '/artefacts/groups', '200', SUPERADMIN, { path: '/artefacts/groups?category=other&locale=fr' }),
  ...reading('GET', '/artefacts/{id}', '200', SEE),
  v1('PATCH', '/artefacts/{id}', '404 artefact_not_found', CURATORS, {
    path: '/artefacts/nowhere',
    body: { deprecated: true },
  }),
  v1('PATCH', '/artefacts/{id}', '200', CURATORS, { path: '/artefacts/public', body: {} }),
  v1('DELETE', '/artefacts/{id}', '404 artefact_not_found', CURATORS, { path: '/artefacts/nowhere' }),
  v1('DELETE', '/artefacts/{id}/tarballs/{architecture}', '404 slot_not_found', CURATORS, {
    path: '/artefacts/public/tarballs/riscv64',
  }),
  v1('POST', '/artefacts/npm/{id}', '400 multipart_invalid', UPLOADERS, { path: '/artefacts/npm/new', body: 'form' }),
  v1('POST', '/artefacts/file/{id}', '400 multipart_invalid', UPLOADERS, {
    path: '/artefacts/file/new',
    body: 'form',
  }),
  ...reading('GET', '/artefacts/{id}/tarball', '200', DOWNLOAD),
  ...reading('HEAD', '/artefacts/{id}/tarball', '200', DOWNLOAD),
  ...reading('GET', '/artefacts/{id}/download', '200', DOWNLOAD),
  ...reading('HEAD', '/artefacts/{id}/download', '200', DOWNLOAD),

  v1('OPTIONS', '/uploads', '204', ALL),
  v1('POST', '/uploads', '201', UPLOADERS, {
    tus: { 'upload-length': '1', 'upload-metadata': 'id bmV3,format ZmlsZQ==' },
  }),
  v1('HEAD', '/uploads/{uploadId}', '404 upload_not_found', UPLOADERS, { ...NO_UPLOAD, tus: {} }),
  v1('PATCH', '/uploads/{uploadId}', '404 upload_not_found', UPLOADERS, {
    ...NO_UPLOAD,
    tus: { 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' },
  }),
  v1('POST', '/uploads/{uploadId}', '404 upload_not_found', UPLOADERS, {
    ...NO_UPLOAD,
    tus: { 'x-http-method-override': 'DELETE' },
  }),
  v1('DELETE', '/uploads/{uploadId}', '404 upload_not_found', UPLOADERS, { ...NO_UPLOAD, tus: {} }),
  v1('GET', '/uploads/{uploadId}', '404 upload_not_found', UPLOADERS, NO_UPLOAD),

  ...reading('GET', '/artefacts/{id}/readme', '200', SEE),
  ...reading('GET', '/artefacts/{id}/packages', '200', SEE),
  ...reading('GET', '/artefacts/{id}/files', '200', DOWNLOAD),
  ...reading('GET', '/artefacts/{id}/files/{*}', '200', DOWNLOAD),

  v1('POST', '/artefacts/{id}/thumbnail', '400 multipart_invalid', CURATORS, {
    path: '/artefacts/public/thumbnail',
    body: 'form',
  }),
  v1('DELETE', '/artefacts/{id}/thumbnail', '404 thumbnail_not_found', CURATORS, {
    path: '/artefacts/public/thumbnail',
  }),
  ...reading('GET', '/artefacts/{id}/thumbnail', '404 thumbnail_not_found', SEE),
  v1('GET', '/thumbnails/{id}/data', '404 thumbnail_not_found', ALL, { path: '/thumbnails/none/data' }),

  v1('GET', '/stats', '200', SUPERADMIN),
  v1('GET', '/audit-events', '200', SUPERADMIN),
  v1('GET', '/audit-events/export', '200', SUPERADMIN),
  ...['', '/stream'].flatMap((rest) => [
    v1('GET', `/events${rest}`, '200', READERS),
    v1('GET', `/events${rest}`, '200', READERS, { path: `/events${rest}?types=artefact.,key.&artefact=private` }),
    v1('GET', `/events${rest}`, '200', UNLIMITED, { path: `/events${rest}?types=artefact.created,key.revoked` }),
    v1('GET', `/events${rest}`, '410 events_gone', READERS, { path: `/events${rest}?after=nothing` }),
  ]),
  v1('GET', '/sign-in', '200', ALL),
  v1('GET', '/storage', '200', SUPERADMIN),
  v1('GET', '/storage/events', '200', SUPERADMIN),
  v1('POST', '/storage/sweep', '200', SUPERADMIN, { body: { dryRun: true } }),
  v1('POST', '/storage/sweep', '202', SUPERADMIN, { body: {} }),
  v1('POST', '/storage/scrub', '202', SUPERADMIN),

  v1('GET', '/remote-registries', '200', SUPERADMIN),
  v1('POST', '/remote-registries', '400 remote_url_invalid', SUPERADMIN, {
    body: { url: 'nowhere', name: 'x', apiKey: 'x' },
  }),
  v1('GET', '/remote-registries/{id}', '404 remote_not_found', SUPERADMIN, { path: NO_REMOTE }),
  v1('PATCH', '/remote-registries/{id}', '404 remote_not_found', SUPERADMIN, { path: NO_REMOTE, body: {} }),
  v1('DELETE', '/remote-registries/{id}', '404 remote_not_found', SUPERADMIN, { path: NO_REMOTE }),
  v1('GET', '/remote-registries/{id}/remote-artefacts', '404 remote_not_found', SUPERADMIN, {
    path: `${NO_REMOTE}/remote-artefacts`,
  }),
  v1('GET', '/remote-registries/{id}/remote-thumbnails/{thumbnailId}/data', '404 remote_not_found', SUPERADMIN, {
    path: `${NO_REMOTE}/remote-thumbnails/x/data`,
  }),
  v1('POST', '/remote-registries/{id}/selected-artefacts', '404 remote_not_found', SUPERADMIN, {
    path: `${NO_REMOTE}/selected-artefacts`,
    body: { artefactId: 'x' },
  }),
  v1('DELETE', '/remote-registries/{id}/selected-artefacts/{artefactId}', '404 remote_not_found', SUPERADMIN, {
    path: `${NO_REMOTE}/selected-artefacts/x`,
  }),
  v1('POST', '/remote-registries/{id}/sync', '404 remote_not_found', SUPERADMIN, { path: `${NO_REMOTE}/sync` }),
  v1('GET', '/remote-registries/{id}/events', '404 remote_not_found', SUPERADMIN, { path: `${NO_REMOTE}/events` }),
  { route: 'GET /api/admin/info', path: '/api/admin/info', ok: '200', cells: SUPERADMIN },

  { route: 'GET /clients', path: '/clients', ok: '200', cells: ALL },
  ...['cli', 'lib-node'].flatMap((name): Row[] => [
    { route: `GET /clients/${name}.tgz`, path: `/clients/${name}.tgz`, ok: '302', cells: ALL },
    ...['GET', 'HEAD'].map((method): Row => ({
      route: `${method} /clients/{version}/${name}.tgz`,
      path: `/clients/0.0.0/${name}.tgz`,
      ok: '404 client_version_not_found',
      cells: ALL,
    })),
  ]),
];
