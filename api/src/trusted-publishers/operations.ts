// Matches the claims of a pipeline's identity token against trusted publishers. Pure functions.

import type { KeyScopes } from '../access/index.ts';
import type { NewPublisher, Publisher } from './schemas.ts';

export type Claims = Readonly<Record<string, unknown>>;

const ISSUERS = { github: 'https://token.actions.githubusercontent.com', gitlab: 'https://gitlab.com' } as const;
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);
const SHORT_COMMIT_LENGTH = 7;
const MAX_NAME_LENGTH = 200;

/** Returns the issuer of a new publisher; undefined unless its keys are fetched over https or from loopback. */
export function issuerOf({ issuer, provider }: Pick<NewPublisher, 'issuer' | 'provider'>): string | undefined {
  if (issuer === undefined) return ISSUERS[provider];
  const url = URL.parse(issuer);
  if (!url || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return undefined;
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname)) ? issuer : undefined;
}

/** Tells whether verified claims belong to a job that the publisher describes. */
export function matchesJob(publisher: Publisher, claims: Claims): boolean {
  const { repository, repositoryId, environment } = publisher;
  const names =
    publisher.provider === 'github'
      ? { repository: 'repository', id: 'repository_id' }
      : { repository: 'project_path', id: 'project_id' };
  return (
    equalsIgnoringCase(claims[names.repository], repository) &&
    (repositoryId === undefined || toText(claims[names.id]) === repositoryId) &&
    (environment === undefined || claims['environment'] === environment) &&
    matchesWorkflow(publisher, claims)
  );
}

/**
 * Compares the file of the top-level workflow. GitHub: `owner/name/.github/workflows/publish.yml@ref`; GitLab:
 * `host/path//.gitlab-ci.yml@ref`.
 */
function matchesWorkflow({ provider, workflow, repository, issuer }: Publisher, claims: Claims): boolean {
  if (workflow === undefined) return true;
  const reference = claims[provider === 'github' ? 'workflow_ref' : 'ci_config_ref_uri'];
  if (typeof reference !== 'string') return false;
  const { host = '', pathname = '' } = URL.parse(issuer) ?? {};
  const folder =
    provider === 'github'
      ? `${repository}/.github/workflows/`
      : `${host}${pathname.replace(/\/$/, '')}/${repository}//`;
  return (
    equalsIgnoringCase(reference.slice(0, folder.length), folder) &&
    reference.slice(folder.length).startsWith(`${workflow}@`)
  );
}

/**
 * Chooses among the publishers that match a job: one that may upload the artefact, the most specific first. Ties keep
 * the given order, newest first.
 */
export function choosePublisher(
  publishers: readonly Publisher[],
  artefactId: string | undefined,
): Publisher | undefined {
  const permitted = artefactId === undefined ? [] : publishers.filter((it) => mayUpload(it, artefactId));
  return [...(permitted.length > 0 ? permitted : publishers)].sort((a, b) => specificity(b) - specificity(a))[0];
}

function mayUpload({ allowedName, allowedNamePrefix = '' }: KeyScopes, id: string): boolean {
  return (allowedName === undefined || allowedName === id) && id.startsWith(allowedNamePrefix);
}

function specificity({ allowedName, allowedNamePrefix = '', environment, workflow }: Publisher): number {
  const id = allowedName === undefined ? allowedNamePrefix.length : Number.MAX_SAFE_INTEGER / 4;
  return id * 4 + (environment === undefined ? 0 : 2) + (workflow === undefined ? 0 : 1);
}

/** Returns the token's name in documents and the audit log: `gpkg · acme/import-gpkg · v1.2.0 · 1a2b3c4 · run 42`. */
export function tokenName({ name, repository }: Publisher, claims: Claims): string {
  const { ref, commit, run } = jobDetails(claims);
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

/** Returns the claims that the audit log records. */
export function jobDetails(claims: Claims) {
  return {
    subject: toText(claims['sub']),
    ref: toText(claims['ref']),
    commit: toText(claims['sha']),
    environment: toText(claims['environment']),
    run: toText(claims['run_id'] ?? claims['pipeline_id']),
    by: toText(claims['actor'] ?? claims['user_login']),
  };
}

function toText(claim: unknown): string | undefined {
  return typeof claim === 'string' && claim !== ''
    ? claim.slice(0, MAX_NAME_LENGTH)
    : typeof claim === 'number'
      ? String(claim)
      : undefined;
}

function equalsIgnoringCase(claim: unknown, name: string): boolean {
  return typeof claim === 'string' && claim.toLowerCase() === name.toLowerCase();
}
