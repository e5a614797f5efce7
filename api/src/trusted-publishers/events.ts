// Events that start pipelines, by platform.

/**
 * Sources:
 * https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows,
 * https://docs.gitlab.com/ci/jobs/job_rules/#ci_pipeline_source-predefined-variable
 */
export const EVENTS: Readonly<Record<'github' | 'gitlab', readonly string[]>> = {
  github: [
    'branch_protection_rule',
    'check_run',
    'check_suite',
    'create',
    'delete',
    'deployment',
    'deployment_status',
    'discussion',
    'discussion_comment',
    'fork',
    'gollum',
    'image_version',
    'issue_comment',
    'issues',
    'label',
    'merge_group',
    'milestone',
    'page_build',
    'public',
    'pull_request',
    'pull_request_review',
    'pull_request_review_comment',
    'pull_request_target',
    'push',
    'registry_package',
    'release',
    'repository_dispatch',
    'schedule',
    'status',
    'watch',
    'workflow_dispatch',
    'workflow_run',
  ],
  gitlab: [
    'api',
    'chat',
    'container_registry_push',
    'duo_workflow',
    'external',
    'external_pull_request_event',
    'merge_request_event',
    'ondemand_dast_scan',
    'ondemand_dast_validation',
    'parent_pipeline',
    'pipeline',
    'push',
    'schedule',
    'security_orchestration_policy',
    'trigger',
    'web',
    'webide',
  ],
};

/**
 * Events whose jobs may run what somebody merely proposes. GitLab gives the jobs of a merge request the name of its
 * source branch, which in a fork can be `main`; those of its child pipelines too, whose event is `parent_pipeline`.
 */
const PROPOSALS = new Set([
  'pull_request',
  'pull_request_review',
  'pull_request_review_comment',
  'pull_request_target',
  'merge_request_event',
  'external_pull_request_event',
  'parent_pipeline',
]);

/** Tells whether a job may run what somebody proposes, rather than what the repository contains. */
export function isProposal(event: string, ref = ''): boolean {
  return PROPOSALS.has(event) || ref.startsWith('refs/pull/') || ref.startsWith('refs/merge-requests/');
}
