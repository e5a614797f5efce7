import type { Texts } from '../types.ts';

export const curation = {
  metadata: ['Title and description', 'Titre et description'],
  english: ['English', 'Anglais'],
  french: ['French', 'Français'],
  titleIn: ['Title ({language})', 'Titre ({language})'],
  descriptionIn: ['Description ({language})', 'Description ({language})'],
  groupIn: ['Group ({language})', 'Groupe ({language})'],
  documentation: ['Address of its documentation', 'Adresse de sa documentation'],
  access: ['Who may see it', 'Qui peut le voir'],
  isPublic: ['Public: everybody sees it', 'Public : tout le monde le voit'],
  sharedWith: ['Shared with', 'Partagé avec'],
  shareHelp: [
    'Seeing an artefact does not mean downloading it: for that an account needs an access grant.',
    'Voir un artefact ne permet pas de le télécharger : il faut pour cela un accès au registre.',
  ],
  findAccount: ['Find a user or an organisation', 'Chercher un utilisateur ou une organisation'],
  noAccount: ['No account has this name', 'Aucun compte n’a ce nom'],
  wholeOrganization: ['All of it', 'Toute l’organisation'],
  remove: ['Remove {name}', 'Retirer {name}'],
  thumbnail: ['Thumbnail', 'Vignette'],
  thumbnailHelp: [
    'Drop an image here, paste one, or choose a file. At most 5 MB.',
    'Déposez une image ici, collez-la ou choisissez un fichier. 5 Mo au plus.',
  ],
  chooseFile: ['Choose a file', 'Choisir un fichier'],
  removeThumbnail: ['Remove the thumbnail', 'Retirer la vignette'],
  deprecate: ['Mark as deprecated', 'Marquer comme déprécié'],
  undeprecate: ['Not deprecated any more', 'Ne plus marquer comme déprécié'],
  deprecateHelp: [
    'Deprecated artefacts stay usable and are hidden from lists.',
    'Les artefacts dépréciés restent utilisables et sont masqués dans les listes.',
  ],
  danger: ['Delete', 'Suppression'],
  deleteHelp: [
    'All slots go. Services that use this id get 404 from then on.',
    'Tous les emplacements sont supprimés. Les services qui utilisent cet identifiant reçoivent ensuite une ' +
      'erreur 404.',
  ],
  deleteArtefact: ['Delete this artefact', 'Supprimer cet artefact'],
  deleteTitle: ['Delete {id}?', 'Supprimer {id} ?'],
  dropSlot: ['Delete the slot {architecture}?', 'Supprimer l’emplacement {architecture} ?'],
  dropSlotText: [
    'Services of this architecture get another slot, or none. The other slots stay.',
    'Les services de cette architecture recevront un autre emplacement, ou aucun. Les autres emplacements restent.',
  ],
  mirrorLocked: [
    'This is a mirror: only who may see it is decided here.',
    'Ceci est une copie : seul l’accès se décide ici.',
  ],
  upload: ['Upload an artefact', 'Déposer un artefact'],
  uploadMore: ['Upload new bytes', 'Déposer une nouvelle version'],
  drop: ['Drop an npm tarball (.tgz) or any file here', 'Déposez ici une archive npm (.tgz) ou un fichier'],
  artefactId: ['Id', 'Identifiant'],
  idHelp: [
    'Such as @acme/import-gpkg@1: the package, and the ref it stands for',
    'Par exemple @acme/import-gpkg@1 : le paquet et la référence',
  ],
  sending: ['{sent} of {total}', '{sent} sur {total}'],
  resumes: [
    'After a cut it goes on where it was: choose the same file again.',
    'Après une coupure, l’envoi reprend où il en était : choisissez de nouveau le même fichier.',
  ],
  uploaded: ['Uploaded', 'Déposé'],
} as const satisfies Texts;
