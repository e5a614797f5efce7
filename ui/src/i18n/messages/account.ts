import type { Texts } from '../types.ts';

export const account = {
  profile: ['Profile', 'Profil'],
  security: ['Security', 'Sécurité'],
  organizations: ['Organisations', 'Organisations'],
  keys: ['Read keys', 'Clés de lecture'],
  managedByDirectory: [
    'Your profile, password and organisations are managed by the identity service.',
    'Votre profil, votre mot de passe et vos organisations sont gérés par le service d’identité.',
  ],
  openDirectory: ['Open the identity service', 'Ouvrir le service d’identité'],
  grant: ['Download access', 'Accès au téléchargement'],
  granted: [
    'Your account can download the artefacts that it can see.',
    'Votre compte peut télécharger les artefacts qu’il voit.',
  ],
  notGranted: [
    'Your account has no access grant: it can see artefacts but not download them. Ask a registry administrator.',
    'Votre compte n’a pas de droit d’accès : il voit les artefacts mais ne peut pas les télécharger. ' +
      'Adressez-vous à un administrateur du registre.',
  ],
  superadmin: ['Superadmin', 'Super-administrateur'],
  changePassword: ['Change password', 'Changer de mot de passe'],
  currentPassword: ['Current password', 'Mot de passe actuel'],
  endOthers: ['Sign out my other sessions', 'Fermer mes autres sessions'],
  passwordChanged: ['Password changed', 'Mot de passe modifié'],
  twoFactor: ['Two-factor authentication', 'Authentification à deux facteurs'],
  twoFactorOn: [
    'Enabled: signing in requires a code from your authenticator app.',
    'Activée : la connexion demande un code de votre application d’authentification.',
  ],
  twoFactorOff: [
    'Disabled: signing in requires only your password.',
    'Désactivée : votre mot de passe suffit pour vous connecter.',
  ],
  turnOn: ['Enable', 'Activer'],
  turnOff: ['Disable', 'Désactiver'],
  scan: [
    'Scan this code with your authenticator app, or enter the secret in it. Then enter the code that the app shows.',
    'Scannez ce code avec votre application d’authentification, ou saisissez-y le secret. Saisissez ensuite le ' +
      'code affiché par l’application.',
  ],
  secret: ['Secret', 'Secret'],
  backupCodes: ['Backup codes', 'Codes de secours'],
  backupHelp: [
    'Keep them in a safe place: each one signs you in once if you lose your authenticator. They are shown only now.',
    'Conservez-les en lieu sûr : chacun permet de se connecter une fois si vous perdez votre application ' +
      'd’authentification. Ils ne seront plus affichés ensuite.',
  ],
  qrCode: ['QR code for two-factor authentication', 'Code QR pour l’authentification à deux facteurs'],
  sessions: ['Sessions', 'Sessions'],
  thisSession: ['Current session', 'Session actuelle'],
  signedInOn: ['Signed in on', 'Connexion le'],
  end: ['Sign out', 'Fermer la session'],
  ended: ['Session signed out', 'Session fermée'],
  othersEnded: ['Other sessions signed out', 'Autres sessions fermées'],
  unknownBrowser: ['Unknown browser', 'Navigateur inconnu'],
  noOrganization: [
    'You are not a member of any organisation. An organisation admin or a superadmin can invite you.',
    'Vous n’êtes membre d’aucune organisation. Un administrateur d’organisation ou un super-administrateur peut ' +
      'vous inviter.',
  ],
  members: ['Members', 'Membres'],
  departments: ['Departments', 'Départements'],
  invitations: ['Invitations', 'Invitations'],
  invite: ['Invite', 'Inviter'],
  invitationSent: ['An invitation was sent to {email}.', 'Une invitation a été envoyée à {email}.'],
  invitationShown: [
    'The registry cannot send e-mail: pass this link on to {email} yourself. It is shown only once. Whoever has it ' +
      'can accept the invitation, so the address of the new user will count as unproved.',
    'Le registre ne peut pas envoyer de courriel : transmettez vous-même ce lien à {email}. Il n’est affiché qu’une ' +
      'fois. Toute personne qui l’a peut accepter l’invitation : l’adresse du nouvel utilisateur restera donc non ' +
      'prouvée.',
  ],
  unproved: ['Unproved address', 'Adresse non prouvée'],
  invitationLink: ['Invitation link', 'Lien d’invitation'],
  expires: ['Expires', 'Expiration'],
  cancelInvitation: ['Cancel invitation', 'Annuler l’invitation'],
  removeMember: ['Remove from organisation', 'Retirer de l’organisation'],
  removeMemberTitle: ['Remove {name}?', 'Retirer {name} ?'],
  removeMemberText: [
    'Their sessions lose access to the organisation immediately.',
    'Ses sessions perdent immédiatement l’accès à l’organisation.',
  ],
  switchToManage: [
    'To manage the members of an organisation that you administer, switch to it.',
    'Pour gérer les membres d’une organisation que vous administrez, passez à cette organisation.',
  ],
  actFor: ['Switch to this organisation', 'Passer à cette organisation'],
  keysHelp: [
    'A read key can list and download what your account can download. Create one for each service.',
    'Une clé de lecture permet de lister et de télécharger ce que votre compte peut télécharger. Créez-en une ' +
      'pour chaque service.',
  ],
  keysNeedGrant: [
    'Your account needs an access grant before you can create keys.',
    'Votre compte a besoin d’un droit d’accès pour que vous puissiez créer des clés.',
  ],
  keysNeedAdmin: [
    'Only an admin of the organisation can create its keys.',
    'Seul un administrateur de l’organisation peut créer ses clés.',
  ],
  newKey: ['New key', 'Nouvelle clé'],
  keyName: ['Key name', 'Nom de la clé'],
  expiry: ['Expiry date', 'Date d’expiration'],
  expiryHelp: ['Leave empty for a key that never expires', 'Laissez vide pour une clé sans expiration'],
  shownOnce: [
    'Copy the key now: it is shown only once.',
    'Copiez la clé maintenant : elle n’est affichée qu’une fois.',
  ],
  theKey: ['Key', 'Clé'],
  lastUsed: ['Last used', 'Dernière utilisation'],
  rotate: ['Rotate', 'Renouveler'],
  rotateTitle: ['Rotate {name}?', 'Renouveler {name} ?'],
  rotateText: [
    'A new secret is created. The current one keeps working for one day, so that you can replace it.',
    'Un nouveau secret est créé. L’actuel reste valable un jour, le temps de le remplacer.',
  ],
  revoke: ['Revoke', 'Révoquer'],
  revokeTitle: ['Revoke {name}?', 'Révoquer {name} ?'],
  revokeText: [
    'Requests that use this key are refused immediately.',
    'Les requêtes qui utilisent cette clé seront immédiatement refusées.',
  ],
  expired: ['Expired', 'Expirée'],
  expiresSoon: ['Expires soon', 'Expire bientôt'],
  overlap: ['Previous secret valid until {date}', 'Ancien secret valable jusqu’au {date}'],
  noKeys: ['No keys yet', 'Aucune clé pour le moment'],
} as const satisfies Texts;
