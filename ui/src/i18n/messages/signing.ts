import type { Texts } from '../types.ts';

export const signing = {
  title: ['Sign in', 'Connexion'],
  with: ['Sign in with {name}', 'Se connecter avec {name}'],
  directory: [
    'Your account is managed by the platform’s identity service.',
    'Votre compte est géré par le service d’identité de la plateforme.',
  ],
  toDirectory: ['Continue to sign in', 'Continuer vers la connexion'],
  or: ['or', 'ou'],
  noAddress: [
    'The provider has sent no e-mail address. Ask its administrators to pass your address on to this registry.',
    'Le fournisseur n’a transmis aucune adresse de courriel. Demandez à ses administrateurs de la transmettre à ce ' +
      'registre.',
  ],
  unverifiedAddress: [
    'The provider has not verified your e-mail address. Have it verified there, then sign in again.',
    'Le fournisseur n’a pas vérifié votre adresse de courriel. Faites-la vérifier chez lui, puis reconnectez-vous.',
  ],
  addressOfAnother: [
    'Your new e-mail address at the provider already belongs to another user of this registry. Ask a superadmin ' +
      'to delete the user who is not needed any more.',
    'Votre nouvelle adresse de courriel chez le fournisseur appartient déjà à un autre utilisateur de ce registre. ' +
      'Demandez à un super-administrateur de supprimer l’utilisateur qui ne sert plus.',
  ],
  anotherSubject: [
    'The user with your e-mail address belongs to another account at the provider. Ask a superadmin to unlink the ' +
      'user if it is yours, or to delete it if it is someone else’s.',
    'L’utilisateur qui a votre adresse de courriel est lié à un autre compte du fournisseur. Demandez à un ' +
      'super-administrateur de le délier si c’est le vôtre, ou de le supprimer si c’est celui d’une autre personne.',
  ],
  userDisabled: [
    'Your account in this registry is disabled. Ask a superadmin to enable it.',
    'Votre compte dans ce registre est désactivé. Demandez à un super-administrateur de le réactiver.',
  ],
  providerRefused: [
    'The provider has refused the sign-in, or you have cancelled it.',
    'Le fournisseur a refusé la connexion, ou vous l’avez annulée.',
  ],
  startAgain: [
    'The sign-in took too long, or began in another browser. Start again.',
    'La connexion a pris trop de temps, ou a commencé dans un autre navigateur. Recommencez.',
  ],
  providerFailed: [
    'Signing in through the provider has failed. Try again; if it goes on failing, an administrator of the registry ' +
      'must check its settings for the provider.',
    'La connexion par le fournisseur a échoué. Réessayez ; si l’échec persiste, un administrateur du registre doit ' +
      'vérifier les paramètres du fournisseur.',
  ],
  forgot: ['Forgot your password?', 'Mot de passe oublié ?'],
  forgotNoMail: [
    'Forgot your password? Ask a superadmin for a password reset link.',
    'Mot de passe oublié ? Demandez à un super-administrateur un lien de réinitialisation.',
  ],
  sendLink: ['Send reset link', 'Envoyer un lien de réinitialisation'],
  linkSent: [
    'If there is an account with this address, a password reset link has been sent to it.',
    'Si un compte existe avec cette adresse, un lien de réinitialisation du mot de passe lui a été envoyé.',
  ],
  code: ['Authentication code', 'Code d’authentification'],
  codeHelp: [
    'Enter the six digits shown by your authenticator app, or one of your backup codes.',
    'Saisissez les six chiffres affichés par votre application d’authentification, ou un de vos codes de secours.',
  ],
  verify: ['Verify', 'Vérifier'],
  newPassword: ['New password', 'Nouveau mot de passe'],
  passwordHelp: ['At least 8 characters', 'Au moins 8 caractères'],
  setPassword: ['Set a new password', 'Choisir un nouveau mot de passe'],
  passwordSet: [
    'Your password is set. Sign in with it.',
    'Votre mot de passe est enregistré. Utilisez-le pour vous connecter.',
  ],
  noToken: [
    'This link is incomplete: copy all of it from the message.',
    'Ce lien est incomplet : copiez-le en entier depuis le message.',
  ],
  invitation: ['You are invited to join {organization}', 'Vous êtes invité à rejoindre {organization}'],
  invitedAs: ['{email}, as {role}', '{email}, en tant que {role}'],
  accept: ['Accept', 'Accepter'],
  acceptAsNew: [
    'Choose a name and a password for your new account.',
    'Choisissez un nom et un mot de passe pour votre nouveau compte.',
  ],
  acceptAsUser: [
    'You are signed in with this address. Accept to join the organisation.',
    'Vous êtes connecté avec cette adresse. Acceptez pour rejoindre l’organisation.',
  ],
  acceptSignIn: [
    'You already have an account with this address. Sign in to accept.',
    'Vous avez déjà un compte avec cette adresse. Connectez-vous pour accepter.',
  ],
  accepted: [
    'You are now a member. Sign in to continue.',
    'Vous êtes maintenant membre. Connectez-vous pour continuer.',
  ],
  yourName: ['Your name', 'Votre nom'],
  welcome: ['Welcome, {name}', 'Bienvenue, {name}'],
  welcomeText: [
    'This registry is empty. Publish a first plug-in in two steps.',
    'Ce registre est vide. Publiez un premier plug-in en deux étapes.',
  ],
  welcomeMember: ['Here is what you can do.', 'Voici ce que vous pouvez faire.'],
  stepKey: [
    '1. Create an upload key for your pipeline',
    '1. Créez une clé de téléversement pour votre chaîne d’intégration',
  ],
  stepKeyText: [
    'A key can be limited to one artefact, one package or one category.',
    'Une clé peut être limitée à un artefact, un paquet ou une catégorie.',
  ],
  stepUpload: ['2. Upload a first artefact', '2. Téléversez un premier artefact'],
  stepUploadText: [
    'An npm tarball or any other file: from your pipeline with the key, or here by drag and drop.',
    'Une archive npm ou tout autre fichier : avec la clé depuis votre chaîne d’intégration, ou ici par ' +
      'glisser-déposer.',
  ],
  createKey: ['Create a key', 'Créer une clé'],
  uploadHere: ['Upload here', 'Téléverser ici'],
  readKeys: ['Create read keys for your services', 'Créer des clés de lecture pour vos services'],
} as const satisfies Texts;
