import type { Texts } from '../types.ts';

export const curation = {
  metadata: ['Title and description', 'Titre et description'],
  english: ['English', 'Anglais'],
  french: ['French', 'Français'],
  titleIn: ['Title ({language})', 'Titre ({language})'],
  descriptionIn: ['Description ({language})', 'Description ({language})'],
  groupIn: ['Group ({language})', 'Groupe ({language})'],
  documentation: ['Documentation URL', 'URL de la documentation'],
  access: ['Visibility', 'Visibilité'],
  isPublic: ['Public: everyone can see it', 'Public : tout le monde peut le voir'],
  shareHelp: [
    'Seeing an artefact is not enough to download it: an account also needs an access grant.',
    'Voir un artefact ne suffit pas pour le télécharger : un compte a aussi besoin d’un droit d’accès.',
  ],
  findAccount: ['Find a user or an organisation', 'Chercher un utilisateur ou une organisation'],
  noAccount: ['No account found', 'Aucun compte trouvé'],
  remove: ['Remove {name}', 'Retirer {name}'],
  thumbnail: ['Thumbnail', 'Vignette'],
  thumbnailHelp: [
    'Drop or paste an image here, or choose a file (5 MB at most).',
    'Déposez ou collez une image ici, ou choisissez un fichier (5 Mo au maximum).',
  ],
  chooseFile: ['Choose a file', 'Choisir un fichier'],
  removeThumbnail: ['Remove thumbnail', 'Supprimer la vignette'],
  deprecate: ['Mark as deprecated', 'Marquer comme obsolète'],
  undeprecate: ['Remove deprecation', 'Ne plus marquer comme obsolète'],
  deprecateHelp: [
    'Deprecated artefacts can still be used but are hidden from lists.',
    'Les artefacts obsolètes restent utilisables mais sont masqués dans les listes.',
  ],
  danger: ['Delete', 'Suppression'],
  deleteHelp: [
    'All slots are deleted. Services that request this ID will get a 404 error.',
    'Tous les emplacements sont supprimés. Les services qui demandent cet identifiant recevront une erreur 404.',
  ],
  deleteArtefact: ['Delete this artefact', 'Supprimer cet artefact'],
  deleteTitle: ['Delete {id}?', 'Supprimer {id} ?'],
  deleteSlotTitle: ['Delete the slot {architecture}?', 'Supprimer l’emplacement {architecture} ?'],
  deleteSlotText: [
    'Services on this architecture will get another slot, or none. The other slots are kept.',
    'Les services de cette architecture recevront un autre emplacement, ou aucun. Les autres emplacements sont ' +
      'conservés.',
  ],
  mirrorLocked: [
    'This artefact is a mirror: only its visibility can be changed here.',
    'Cet artefact est un miroir : seule sa visibilité peut être modifiée ici.',
  ],
  upload: ['Upload an artefact', 'Téléverser un artefact'],
  uploadNewBuild: ['Upload new build', 'Téléverser une nouvelle version'],
  drop: [
    'Drop an npm tarball (.tgz) or any other file here',
    'Déposez ici une archive npm (.tgz) ou tout autre fichier',
  ],
  artefactId: ['Artefact ID', 'Identifiant de l’artefact'],
  idHelp: [
    'For example @acme/import-gpkg@1: the package name and the major version or branch',
    'Par exemple @acme/import-gpkg@1 : le nom du paquet et la version majeure ou la branche',
  ],
  sending: ['{sent} of {total}', '{sent} sur {total}'],
  resumes: [
    'If the upload is interrupted, choose the same file again to resume it.',
    'Si le téléversement est interrompu, choisissez de nouveau le même fichier pour le reprendre.',
  ],
  uploaded: ['Upload complete', 'Téléversement terminé'],
} as const satisfies Texts;
