// Normalises the fields of a new trusted publisher, and refuses those that no job could match. Pure functions.

import type { FieldError } from '../errors.ts';
import { PublisherFieldsError } from './errors.ts';
import { EVENTS } from './events.ts';
import type { NewPublisher } from './schemas.ts';

export type CheckedPublisher = NewPublisher & { issuer: string };

type Provider = NewPublisher['provider'];

const ISSUERS = { github: 'https://token.actions.githubusercontent.com', gitlab: 'https://gitlab.com' } as const;
const GITHUB = 'github.com';
const DISCOVERY_PATH = /\/\.well-known\/openid-configuration$/;
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);
const REPOSITORY: Record<Provider, RegExp> = {
  github: /^(?!\.{1,2}\/)[\w.-]+\/(?!\.{1,2}$)[\w.-]+$/,
  gitlab: /^(?:(?!-|\.{1,2}\/)[\w.-]+\/)+(?!-|\.{1,2}$)[\w.-]+$/,
};
/** What the name of a branch or a tag cannot contain: https://git-scm.com/docs/git-check-ref-format */
const NOT_IN_REF = /^\/|\/$|\/\/|(?:^|\/)\.|\.\.|\.$|\.lock(?:\/|$)|@\{|[\s~^:?[\\]/;

const EXPECTED = {
  issuer:
    'must be the https URL in the iss claim of the tokens, without credentials, query or fragment; leave it out for ' +
    'github.com and gitlab.com',
  repository: {
    github: 'must be owner/name, such as acme/import-gpkg, on the server that issues the tokens',
    gitlab: 'must be the path of a project, such as acme/geo/import-gpkg, on the server that issues the tokens',
  },
  repositoryId: 'must be a number, such as 4242',
  workflow: {
    github: 'must be the name of a file in .github/workflows, such as publish.yml',
    gitlab: 'must be the path of a .yml or .yaml file in the project, such as .gitlab-ci.yml',
  },
  branch: 'must be the name of a branch, such as main or release-*',
  tag: 'must be the name of a tag, such as v1.0.0 or v*',
  events: { github: `must be of ${EVENTS.github.join(', ')}`, gitlab: `must be of ${EVENTS.gitlab.join(', ')}` },
};

/**
 * Returns the fields as the claims of a job state them: the workflow `.github/workflows/publish.yml` as `publish.yml`,
 * the repository `https://github.com/acme/gpkg.git` as `acme/gpkg`, the branch `refs/heads/main` as `main`.
 * @throws trusted_publisher_invalid with one entry per field that no job could match, or if every branch would match
 */
export function checkFields(fields: NewPublisher, categories: readonly string[]): CheckedPublisher {
  const given = trimmed(fields);
  const { provider, events } = given;
  const expected = { ...EXPECTED, allowedCategory: `must be one of ${categories.join(', ')}` };
  const issuer = issuerOf(given);
  const checked: { [Field in keyof typeof expected]: NewPublisher[Field] | undefined } = {
    issuer,
    repository: repositoryOf(given, issuer ?? ISSUERS[provider]),
    repositoryId: given.repositoryId?.match(/^[1-9]\d*$/)?.[0],
    workflow: workflowOf(given),
    branch: refNameOf(given.branch, 'refs/heads/'),
    tag: refNameOf(given.tag, 'refs/tags/'),
    events: events?.every((event) => EVENTS[provider].includes(event)) ? [...new Set(events)] : undefined,
    allowedCategory: categories.find((category) => category === given.allowedCategory),
  };
  const errors = (Object.keys(expected) as (keyof typeof expected)[])
    .filter((field) => given[field] !== undefined && checked[field] === undefined)
    .map((field): FieldError => {
      const message = expected[field];
      return { path: `/${field}`, message: typeof message === 'string' ? message : message[provider] };
    });
  errors.push(...refErrors(given));
  if (errors.length > 0)
    throw new PublisherFieldsError('The trusted publisher cannot be created from these fields: see errors.', {
      errors,
    });
  const { anyRef, ...others } = { ...given, ...checked };
  return Object.fromEntries(
    Object.entries({ ...others, ...(anyRef && { anyRef }) }).filter(([, value]) => value !== undefined),
  ) as CheckedPublisher;
}

/** A publisher names what protects it, or says that nothing does. */
function refErrors({ branch, tag, environment, anyRef = false }: NewPublisher): FieldError[] {
  const namesRef = branch !== undefined || tag !== undefined;
  if (anyRef && namesRef)
    return [{ path: '/anyRef', message: 'contradicts branch and tag: leave it out, or both of them' }];
  if (anyRef || namesRef || environment !== undefined) return [];
  return [
    {
      path: '/branch',
      message:
        'must be given, or tag or environment, since otherwise whoever can push any branch can publish; ' +
        'anyRef: true permits that',
    },
  ];
}

/** Removes blanks around all texts. */
function trimmed(fields: NewPublisher): NewPublisher {
  const trim = (value: unknown): unknown =>
    typeof value === 'string' ? value.trim() : Array.isArray(value) ? value.map(trim) : value;
  return Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, trim(value)])) as NewPublisher;
}

/**
 * Returns the issuer of a new publisher, without a trailing slash, which neither platform uses; undefined if no token
 * can have it, or unless its keys are fetched over https or from loopback.
 */
export function issuerOf({ issuer, provider }: Pick<NewPublisher, 'issuer' | 'provider'>): string | undefined {
  if (issuer === undefined) return ISSUERS[provider];
  const text = issuer.replace(DISCOVERY_PATH, '').replace(/\/+$/, '');
  const url = URL.parse(text);
  if (!url || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return undefined;
  const isCanonical =
    text.startsWith(url.protocol) && url.href.replace(/\/$/, '').toLowerCase() === text.toLowerCase();
  const isOther =
    url.host === GITHUB || Object.entries(ISSUERS).some(([of, known]) => of !== provider && text === known);
  const isSecure = url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname));
  return isCanonical && isSecure && !isOther ? text : undefined;
}

/**
 * Returns the name of a repository, which may be given as its web or clone address; undefined if that is not on the
 * issuer's server.
 */
function repositoryOf({ provider, repository }: NewPublisher, issuer: string): string | undefined {
  const { host = '', pathname = '' } = URL.parse(issuer) ?? {};
  const isOnGithub = issuer.startsWith(ISSUERS.github);
  const site = isOnGithub ? GITHUB : provider === 'github' ? host : `${host}${pathname.replace(/\/$/, '')}`;
  const address = repository.replace(/^(?:https?:\/\/|ssh:\/\/)?(?:git@)?/i, '');
  const isOnSite = ['/', ':'].some((end) => address.toLowerCase().startsWith(`${site.toLowerCase()}${end}`));
  const path = isOnSite ? address.slice(site.length + 1) : repository;
  const name = path.replace(/\/$/, '').replace(/\.git$/i, '');
  return REPOSITORY[provider].test(name) ? name : undefined;
}

function workflowOf({ provider, workflow }: NewPublisher): string | undefined {
  const file = workflow?.replace(provider === 'github' ? /^\.?\/?\.github\/workflows\// : /^\.?\//, '');
  const segments = file?.split('/') ?? [];
  const isPath =
    segments.every((segment) => !['', '.', '..'].includes(segment)) &&
    (provider === 'gitlab' || segments.length === 1);
  return isPath && file?.match(/\.ya?ml$/) ? file : undefined;
}

function refNameOf(name: string | undefined, folder: string): string | undefined {
  const short = name?.startsWith(folder) ? name.slice(folder.length) : name;
  return short === undefined || short === '' || short.startsWith('refs/') || NOT_IN_REF.test(short)
    ? undefined
    : short;
}
