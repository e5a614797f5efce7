import type { Texts } from '../types.ts';

export const publishers = {
  title: ['Trusted publishers', 'Éditeurs de confiance'],
  help: [
    'The jobs of a repository publish without a key: they prove who they are.',
    'Les tâches d’un dépôt de code publient sans clé : elles prouvent qui elles sont.',
  ],
  none: ['No repository is trusted yet', 'Aucun dépôt de code n’est de confiance'],
  add: ['Trust a repository', 'Faire confiance à un dépôt de code'],
  provider: ['Platform', 'Plateforme'],
  repository: ['Repository', 'Dépôt de code'],
  repositoryGithub: ['owner/name', 'propriétaire/nom'],
  repositoryGitlab: ['Path of the project', 'Chemin du projet'],
  repositoryId: ['Its number', 'Son numéro'],
  repositoryIdHelp: [
    'Nobody else gets it, should the name become free',
    'Personne d’autre ne l’obtient si le nom se libère',
  ],
  workflow: ['Workflow', 'Workflow'],
  workflowGithub: ['publish.yml; empty: any', 'publish.yml ; vide : tous'],
  workflowGitlab: ['.gitlab-ci.yml; empty: any', '.gitlab-ci.yml ; vide : tous'],
  environment: ['Environment', 'Environnement'],
  environmentHelp: ['production; empty: any, and none', 'production ; vide : tous, ou aucun'],
  issuer: ['Issuer', 'Émetteur'],
  issuerHelp: [
    'Of one’s own GitLab or GitHub; empty: that of gitlab.com or github.com',
    'D’un GitLab ou GitHub hébergé par vous ; vide : celui de gitlab.com ou github.com',
  ],
  jobs: ['Jobs', 'Tâches'],
  anyJob: ['any job', 'toutes les tâches'],
  remove: ['Trust it no more', 'Retirer la confiance'],
  removeTitle: ['Trust {name} no more?', 'Retirer la confiance à {name} ?'],
  removeText: [
    'Its jobs publish no more, and keys that they hold end at once.',
    'Ses tâches ne publient plus et leurs clés prennent fin aussitôt.',
  ],
} as const satisfies Texts;
