import type { Texts } from '../types.ts';

export const publishers = {
  title: ['Trusted publishers', 'Éditeurs de confiance'],
  help: [
    'CI jobs of a trusted repository publish without a key: they prove their identity with an OpenID token.',
    'Les tâches CI d’un dépôt de confiance publient sans clé : elles prouvent leur identité par un jeton OpenID.',
  ],
  none: ['No trusted publishers yet', 'Aucun éditeur de confiance pour le moment'],
  add: ['Add trusted publisher', 'Ajouter un éditeur de confiance'],
  provider: ['Platform', 'Plateforme'],
  repository: ['Repository', 'Dépôt'],
  repositoryGithub: ['owner/name', 'propriétaire/nom'],
  repositoryGitlab: ['Path of the project', 'Chemin du projet'],
  repositoryId: ['Numeric repository ID', 'Identifiant numérique du dépôt'],
  repositoryIdHelp: [
    'Keeps others from publishing if they take over the name of the repository; leave empty for that of the first job',
    'Empêche un tiers de publier s’il reprend le nom du dépôt ; laissez vide pour celui de la première tâche',
  ],
  numbered: ['number {id}', 'numéro {id}'],
  branch: ['Branch', 'Branche'],
  branchHelp: [
    'For example main; * stands for anything but a slash. Protect it on the platform',
    'Par exemple main ; * remplace tout sauf une barre oblique. Protégez-la sur la plateforme',
  ],
  tag: ['Tag', 'Étiquette'],
  tagHelp: [
    'For example v*. If a branch is given too, either matches. Protect it on the platform',
    'Par exemple v*. Si une branche est donnée aussi, l’une ou l’autre convient. Protégez-la sur la plateforme',
  ],
  anyRef: ['Any branch and tag', 'Toute branche et étiquette'],
  anyRefHelp: [
    'Whoever can push any branch of the repository can publish',
    'Quiconque peut pousser une branche du dépôt peut publier',
  ],
  loose: ['Loose', 'Trop large'],
  looseHelp: [
    'Whoever can push any branch of the repository can publish. ' +
      'Add it again with a branch, a tag or an environment, and remove this one.',
    'Quiconque peut pousser une branche du dépôt peut publier. ' +
      'Ajoutez-le à nouveau avec une branche, une étiquette ou un environnement, puis retirez celui-ci.',
  ],
  events: ['Events', 'Événements'],
  eventsGithub: [
    'For example push, release; leave empty to allow all but those of pull requests',
    'Par exemple push, release ; laissez vide pour les autoriser tous, sauf ceux des pull requests',
  ],
  eventsGitlab: [
    'For example push, web; leave empty to allow all but those of merge requests and child pipelines',
    'Par exemple push, web ; laissez vide pour les autoriser tous, sauf ceux des merge requests et pipelines enfants',
  ],
  workflow: ['Workflow', 'Workflow'],
  workflowGithub: [
    'For example publish.yml; leave empty to allow any',
    'Par exemple publish.yml ; laissez vide pour les autoriser tous',
  ],
  workflowGitlab: [
    'For example .gitlab-ci.yml; leave empty to allow any',
    'Par exemple .gitlab-ci.yml ; laissez vide pour les autoriser tous',
  ],
  environment: ['Environment', 'Environnement'],
  environmentHelp: [
    'For example production; leave empty to allow any, or none',
    'Par exemple production ; laissez vide pour les autoriser tous, ou aucun',
  ],
  issuer: ['Issuer', 'Émetteur'],
  issuerHelp: [
    'URL of a self-hosted GitLab or GitHub; leave empty for gitlab.com or github.com',
    'URL d’un GitLab ou GitHub auto-hébergé ; laissez vide pour gitlab.com ou github.com',
  ],
  jobs: ['Jobs', 'Tâches'],
  remove: ['Remove trust', 'Retirer la confiance'],
  removeTitle: ['Remove trust in {name}?', 'Retirer la confiance à {name} ?'],
  removeText: [
    'Its jobs can no longer publish, and the keys that they hold are revoked immediately.',
    'Ses tâches ne pourront plus publier, et leurs clés seront révoquées immédiatement.',
  ],
} as const satisfies Texts;
