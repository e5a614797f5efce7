// Matches the claims of a pipeline's identity token against trusted publishers. Pure functions.

import type { KeyScopes } from '../access/index.ts';
import { matchesText } from '../patterns/index.ts';
import { isProposal } from './events.ts';
import type { Publisher } from './schemas.ts';

export type Claims = Readonly<Record<string, unknown>>;

/** What a verified token says about its job, under the same names for both platforms. */
export interface Job {
  repository: string | undefined;
  /** Number of the repository, which it keeps when it is renamed. */
  repositoryId: string | undefined;
  /** Full name, such as `refs/heads/main`, `refs/tags/v1.2.0` or `refs/pull/7/merge`. */
  ref: string | undefined;
  sha: string | undefined;
  event: string | undefined;
  environment: string | undefined;
  /**
   * Top-level workflow with its ref. GitHub: `owner/name/.github/workflows/publish.yml@refs/heads/main`; GitLab:
   * `host/path//.gitlab-ci.yml@refs/heads/main`.
   */
  workflow: string | undefined;
}

const SHORT_COMMIT_LENGTH = 7;
const MAX_TEXT_LENGTH = 200;

export function readJob(provider: Publisher['provider'], claims: Claims): Job {
  const read = (claim: string) => toText(claims[claim]);
  const common = { sha: read('sha'), environment: read('environment') };
  return provider === 'github'
    ? {
        ...common,
        repository: read('repository'),
        repositoryId: read('repository_id'),
        ref: read('ref'),
        event: read('event_name'),
        workflow: read('workflow_ref'),
      }
    : {
        ...common,
        repository: read('project_path'),
        repositoryId: read('project_id'),
        ref: gitlabRef(read('ref_path'), read('ref'), claims['ref_type']),
        event: read('pipeline_source'),
        workflow: read('ci_config_ref_uri'),
      };
}

/** Returns the full name of a ref; GitLab before 16.0 states only the short one. */
function gitlabRef(path: string | undefined, name: string | undefined, type: unknown): string | undefined {
  if (path !== undefined || name === undefined) return path;
  return type === 'branch' ? `refs/heads/${name}` : type === 'tag' ? `refs/tags/${name}` : undefined;
}

const CHECKS = {
  repository: ({ repository }, job) => equalsIgnoringCase(job.repository, repository),
  repositoryId: ({ repositoryId }, job) => repositoryId === undefined || job.repositoryId === repositoryId,
  ref: matchesRef,
  event: ({ events }, { event, ref }) =>
    event !== undefined && (events === undefined ? !isProposal(event, ref) : events.includes(event)),
  environment: ({ provider, environment }, job) =>
    environment === undefined ||
    // Names of environments are case-insensitive on GitHub.
    (provider === 'github' ? equalsIgnoringCase(job.environment, environment) : job.environment === environment),
  workflow: (publisher, job) =>
    publisher.workflow === undefined || workflowFiles(publisher, job).includes(publisher.workflow),
} as const satisfies Record<string, (publisher: Publisher, job: Job) => boolean>;

export type Difference = keyof typeof CHECKS;

/** Lists in what a job differs from those that a publisher describes; empty if it matches. */
export function differences(publisher: Publisher, job: Job): Difference[] {
  return (Object.keys(CHECKS) as Difference[]).filter((field) => !CHECKS[field](publisher, job));
}

/** Tells whether a publisher was created before it had to name what protects it: jobs of every branch match. */
export function isLoose({ branch, tag, environment, anyRef }: Publisher): boolean {
  return [branch, tag, environment, anyRef].every((field) => field === undefined);
}

/** The branch or the tag; any ref if the publisher has neither. */
function matchesRef({ branch, tag }: Publisher, { ref = '' }: Job): boolean {
  const patterns = [
    ['refs/heads/', branch],
    ['refs/tags/', tag],
  ] as const;
  return (
    (branch === undefined && tag === undefined) ||
    patterns.some(
      ([folder, pattern]) =>
        pattern !== undefined && ref.startsWith(folder) && matchesText(pattern, ref.slice(folder.length)),
    )
  );
}

/**
 * Returns the file of a job's workflow. It ends where the token's own ref or, for deployments of a commit, commit
 * begins, since both it and branches can contain `@`. Empty if the workflow is not one of the job's repository.
 */
export function workflowFiles({ provider, issuer }: Pick<Publisher, 'provider' | 'issuer'>, job: Job): string[] {
  const { host = '', pathname = '' } = URL.parse(issuer) ?? {};
  const folder =
    provider === 'github'
      ? `${job.repository}/.github/workflows/`
      : `${host}${pathname.replace(/\/$/, '')}/${job.repository}//`;
  const { workflow = '' } = job;
  if (!equalsIgnoringCase(workflow.slice(0, folder.length), folder)) return [];
  const file = workflow.slice(folder.length);
  return [job.ref, job.sha].flatMap((ref) =>
    ref !== undefined && file.endsWith(`@${ref}`) ? [file.slice(0, -ref.length - 1)] : [],
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

/** Scopes count more than conditions on the job. */
function specificity({ allowedName, allowedNamePrefix = '', ...job }: Publisher): number {
  const scope = allowedName === undefined ? allowedNamePrefix.length : allowedName.length + 1;
  const conditions = [job.branch ?? job.tag, job.environment, job.workflow];
  return conditions.reduce((sum, condition) => sum * 2 + (condition === undefined ? 0 : 1), scope);
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
  return printable(parts.filter((part) => part !== undefined).join(' · '));
}

/** Returns the claims that the audit log records. */
export function jobDetails(claims: Claims) {
  const read = (...names: string[]) => {
    const text = names.map((name) => toText(claims[name])).find((value) => value !== undefined);
    return text?.slice(0, MAX_TEXT_LENGTH);
  };
  return {
    subject: read('sub'),
    ref: read('ref'),
    event: read('event_name', 'pipeline_source'),
    commit: read('sha'),
    environment: read('environment'),
    run: read('run_id', 'pipeline_id'),
    by: read('actor', 'user_login'),
  };
}

/** Bounds a text to one line of 200 characters, without invisible ones. */
export function printable(text: string): string {
  return text
    .slice(0, MAX_TEXT_LENGTH * 2)
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '')
    .slice(0, MAX_TEXT_LENGTH);
}

/** Returns the text of a claim; undefined if it is missing or empty. */
function toText(claim: unknown): string | undefined {
  return typeof claim === 'number' ? String(claim) : typeof claim === 'string' && claim !== '' ? claim : undefined;
}

function equalsIgnoringCase(claim: string | undefined, name: string): boolean {
  return claim?.toLowerCase() === name.toLowerCase();
}
