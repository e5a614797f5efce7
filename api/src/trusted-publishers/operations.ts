// Which job of a pipeline is meant by the claims of its token, and whether a publisher is that job. Pure functions.

import type { KeyScopes } from '../access/index.ts';
import type { NewPublisher, Publisher } from './schemas.ts';

export type Claims = Readonly<Record<string, unknown>>;

const ISSUERS = { github: 'https://token.actions.githubusercontent.com', gitlab: 'https://gitlab.com' } as const;
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);
const SHORT_COMMIT_LENGTH = 7;
const MAX_NAME_LENGTH = 200;

/** The issuer that a publisher is made with, or undefined for one whose keys anybody on the way could replace. */
export function issuerOf({ issuer, provider }: Pick<NewPublisher, 'issuer' | 'provider'>): string | undefined {
  if (issuer === undefined) return ISSUERS[provider];
  const url = URL.parse(issuer);
  if (!url || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return undefined;
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname)) ? issuer : undefined;
}

/** Tells whether claims, whose signature and issuer were checked, are those of a job that a publisher describes. */
export function isJobOf(publisher: Publisher, claims: Claims): boolean {
  const { repository, repositoryId, environment } = publisher;
  const names =
    publisher.provider === 'github'
      ? { repository: 'repository', id: 'repository_id' }
      : { repository: 'project_path', id: 'project_id' };
  return (
    equalNames(claims[names.repository], repository) &&
    (repositoryId === undefined || textOf(claims[names.id]) === repositoryId) &&
    (environment === undefined || claims['environment'] === environment) &&
    isWorkflowOf(publisher, claims)
  );
}

/**
 * GitHub names the workflow that a person or an event started, `owner/name/.github/workflows/publish.yml@ref`; GitLab
 * `host/path//.gitlab-ci.yml@ref`.
 */
function isWorkflowOf({ provider, workflow, repository, issuer }: Publisher, claims: Claims): boolean {
  if (workflow === undefined) return true;
  const reference = claims[provider === 'github' ? 'workflow_ref' : 'ci_config_ref_uri'];
  if (typeof reference !== 'string') return false;
  const { host = '', pathname = '' } = URL.parse(issuer) ?? {};
  const folder =
    provider === 'github'
      ? `${repository}/.github/workflows/`
      : `${host}${pathname.replace(/\/$/, '')}/${repository}//`;
  return (
    equalNames(reference.slice(0, folder.length), folder) && reference.slice(folder.length).startsWith(`${workflow}@`)
  );
}

/**
 * Of the publishers that a job matches, the one that may upload what it wants: the narrowest, of equals the newest,
 * which comes first.
 */
export function choose(publishers: readonly Publisher[], artefactId: string | undefined): Publisher | undefined {
  const able = artefactId === undefined ? [] : publishers.filter((it) => mayUpload(it, artefactId));
  return [...(able.length > 0 ? able : publishers)].sort((a, b) => narrowness(b) - narrowness(a))[0];
}

function mayUpload({ allowedName, allowedNamePrefix = '' }: KeyScopes, id: string): boolean {
  return (allowedName === undefined || allowedName === id) && id.startsWith(allowedNamePrefix);
}

function narrowness({ allowedName, allowedNamePrefix = '', environment, workflow }: Publisher): number {
  const id = allowedName === undefined ? allowedNamePrefix.length : Number.MAX_SAFE_INTEGER / 4;
  return id * 4 + (environment === undefined ? 0 : 2) + (workflow === undefined ? 0 : 1);
}

/** What artefacts and the audit log call whoever publishes: `gpkg · acme/import-gpkg · v1.2.0 · 1a2b3c4 · run 42`. */
export function nameOf({ name, repository }: Publisher, claims: Claims): string {
  const { ref, commit, run } = jobOf(claims);
  const parts = [
    name,
    repository,
    ref?.replace(/^refs\/(heads|tags)\//, ''),
    commit?.slice(0, SHORT_COMMIT_LENGTH),
    run && `run ${run}`,
  ];
  return parts
    .filter((part) => part !== undefined)
    .join(' · ')
    .replaceAll(/\p{Cc}/gu, '')
    .slice(0, MAX_NAME_LENGTH);
}

/** What of the claims the audit log keeps. */
export function jobOf(claims: Claims) {
  return {
    subject: textOf(claims['sub']),
    ref: textOf(claims['ref']),
    commit: textOf(claims['sha']),
    environment: textOf(claims['environment']),
    run: textOf(claims['run_id'] ?? claims['pipeline_id']),
    by: textOf(claims['actor'] ?? claims['user_login']),
  };
}

function textOf(claim: unknown): string | undefined {
  return typeof claim === 'string' && claim !== ''
    ? claim.slice(0, MAX_NAME_LENGTH)
    : typeof claim === 'number'
      ? String(claim)
      : undefined;
}

function equalNames(claim: unknown, name: string): boolean {
  return typeof claim === 'string' && claim.toLowerCase() === name.toLowerCase();
}
