// The sentences of a refused exchange: they say what the token says, so that its owner sees what differs.

import { isProposal } from './events.ts';
import { differences, printable, readJob, workflowFiles, type Claims, type Job } from './operations.ts';
import type { Publisher } from './schemas.ts';

/** @param issuer of an unverified token */
export function explainUnknownIssuer(issuer: string): string {
  return (
    `No trusted publisher has the issuer of this identity token, ${printable(issuer)}: ask a superadmin to add one ` +
    'with exactly this issuer.'
  );
}

/**
 * Explains why no publisher matches a job, by the claims of its verified token. Of the publishers it reveals only that
 * one has the repository of the job, or its number.
 * @param publishers of the issuer, at least one
 */
export function explainMismatch(publishers: readonly Publisher[], claims: Claims): string {
  const compared = publishers.map((publisher) => {
    const job = readJob(publisher.provider, claims);
    return { publisher, job, differing: differences(publisher, job).join() };
  });
  const { publisher, job, differing } =
    compared.find((it) => ['repositoryId', 'event'].includes(it.differing)) ??
    compared.find((it) => it.differing === 'repository' && it.publisher.repositoryId !== undefined) ??
    compared[0]!;
  return `No trusted publisher matches this job. Its token says: ${describeJob(publisher, job)}. ${advise()}`;

  function advise(): string {
    if (differing === 'repositoryId')
      return (
        'The trusted publisher of this repository has another number: the repository was created anew, or another ' +
        'one has taken its name. If it is meant to publish, ask a superadmin to remove the publisher and to add it ' +
        'again.'
      );
    if (differing === 'repository' && publisher.repositoryId !== undefined)
      return (
        `The trusted publisher with this number has the name ${publisher.repository}: the repository was renamed or ` +
        'moved. Ask a superadmin to remove the publisher and to add it again with the new name.'
      );
    if (differing === 'event' && publisher.events === undefined && isProposal(job.event ?? '', job.ref))
      return (
        'Jobs of this event can run what somebody merely proposes, so they publish only if the trusted publisher ' +
        'names the event: publish from a branch or a tag instead.'
      );
    return 'Compare this with the trusted publishers that a superadmin has configured.';
  }
}

function describeJob(publisher: Publisher, job: Job): string {
  const { repository, repositoryId: number, ref, event, environment } = job;
  const workflow = workflowFiles(publisher, job)[0] ?? job.workflow;
  return Object.entries({ repository, number, workflow, ref, event, environment })
    .map(([name, value]) => (value === undefined ? `no ${name}` : `${name} ${printable(value)}`))
    .join(', ');
}
