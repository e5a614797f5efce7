// The sentences of a refused exchange: they say what the token says, so that its owner sees what differs.

import { isProposal } from './events.ts';
import {
  differences,
  printable,
  readJob,
  workflowFiles,
  type Claims,
  type Difference,
  type Job,
} from './operations.ts';
import type { Publisher } from './schemas.ts';

/** @param issuer of an unverified token */
export function explainUnknownIssuer(issuer: string): string {
  return (
    `No trusted publisher has the issuer of this identity token, ${printable(issuer)}: ask a superadmin to add one ` +
    'with exactly this issuer.'
  );
}

/**
 * Explains why no publisher matches a job, by the claims of its verified token. What a publisher expects is only told
 * to jobs of its own repository: anybody with an account at the platform can get a token of the issuer. Others learn
 * no more than that there is one with the number of their repository.
 * @param publishers of the issuer, at least one
 */
export function explainMismatch(publishers: readonly Publisher[], claims: Claims): string {
  const compared = publishers.map((publisher) => {
    const job = readJob(publisher.provider, claims);
    return { publisher, job, differing: differences(publisher, job) };
  });
  const own = compared
    .filter(({ differing }) => !differing.includes('repository') && !differing.includes('repositoryId'))
    .sort((one, other) => one.differing.length - other.differing.length);
  const { publisher, job, differing } =
    own[0] ??
    compared.find((it) => it.differing.join() === 'repositoryId') ??
    compared.find((it) => it.differing.join() === 'repository' && it.publisher.repositoryId !== undefined) ??
    compared[0]!;
  const isOnly = (field: Difference) => differing.length === 1 && differing[0] === field;
  return `No trusted publisher matches this job. Its token says: ${describeJob(publisher, job)}. ${advise()}`;

  function advise(): string {
    if (isOnly('repositoryId'))
      return (
        'The trusted publisher of this repository has another number: the repository was created anew, or another ' +
        'one has taken its name. If it is meant to publish, ask a superadmin to remove the publisher and to add it ' +
        'again.'
      );
    if (isOnly('repository') && publisher.repositoryId !== undefined)
      return (
        `The trusted publisher with this number has the name ${publisher.repository}: the repository was renamed or ` +
        'moved. Ask a superadmin to remove the publisher and to add it again with the new name.'
      );
    if (isOnly('event') && publisher.events === undefined && isProposal(job.event ?? '', job.ref))
      return (
        'Jobs of this event can run what somebody merely proposes, so they publish only if the trusted publisher ' +
        'names the event: publish from a branch or a tag instead.'
      );
    if (own.length === 0) return 'Compare this with the trusted publishers that a superadmin has configured.';
    const expected = differing.map((field) => describeExpected(publisher, field)).join(', ');
    return (
      `The trusted publisher of this repository that is nearest to it expects: ${expected}. Change the job, or ask ` +
      'a superadmin to add a publisher for it.'
    );
  }
}

function describeExpected(publisher: Publisher, field: Difference): string {
  const { branch, tag, events, environment, workflow } = publisher;
  switch (field) {
    case 'ref':
      return Object.entries({ branch, tag })
        .flatMap(([name, pattern]) => (pattern === undefined ? [] : [`${name} ${printable(pattern)}`]))
        .join(' or ');
    case 'event':
      return `event ${events ? printable(events.join(' or ')) : 'of a branch or a tag'}`;
    case 'environment':
      return `environment ${printable(environment ?? '')}`;
    case 'workflow':
      return `workflow ${printable(workflow ?? '')}`;
    case 'repository':
    case 'repositoryId':
      return 'another repository';
  }
}

function describeJob(publisher: Publisher, job: Job): string {
  const { repository, repositoryId: number, ref, event, environment } = job;
  const workflow = workflowFiles(publisher, job)[0] ?? job.workflow;
  return Object.entries({ repository, number, workflow, ref, event, environment })
    .map(([name, value]) => (value === undefined ? `no ${name}` : `${name} ${printable(value)}`))
    .join(', ');
}
