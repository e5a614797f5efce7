import type { Texts } from '../types.ts';

export const signing = {
  title: ['Sign in', 'Connexion'],
  with: ['Sign in with {name}', 'Se connecter avec {name}'],
  directory: [
    'Your account is kept by the platform’s identity service.',
    'Votre compte est tenu par le service d’identité de la plateforme.',
  ],
  toDirectory: ['Go to sign in', 'Aller à la connexion'],
  or: ['or', 'ou'],
  forgot: ['Forgot your password?', 'Mot de passe oublié ?'],
  forgotNoMail: [
    'Forgot your password? Ask a superadmin for a link to set a new one.',
    'Mot de passe oublié ? Demandez à un super-administrateur un lien pour en choisir un nouveau.',
  ],
  sendLink: ['Send me a link', 'M’envoyer un lien'],
  linkSent: [
    'If an account has this address, a link to set a new password is on its way.',
    'Si un compte a cette adresse, un lien pour choisir un nouveau mot de passe est en route.',
  ],
  code: ['Code of your second factor', 'Code de votre second facteur'],
  codeHelp: [
    'Type the six digits that your authenticator shows, or one of your backup codes.',
    'Saisissez les six chiffres de votre application, ou un de vos codes de secours.',
  ],
  verify: ['Verify', 'Vérifier'],
  newPassword: ['New password', 'Nouveau mot de passe'],
  passwordHelp: ['At least 8 characters', 'Au moins 8 caractères'],
  setPassword: ['Set a new password', 'Choisir un nouveau mot de passe'],
  passwordSet: ['Your password is set. Sign in with it.', 'Votre mot de passe est enregistré. Connectez-vous avec.'],
  noToken: [
    'This link is not whole: copy all of it from the message.',
    'Ce lien est incomplet : copiez-le en entier depuis le message.',
  ],
  invitation: ['You are invited to {organization}', 'Vous êtes invité à rejoindre {organization}'],
  invitedAs: ['{email}, as {role}', '{email}, en tant que {role}'],
  accept: ['Accept', 'Accepter'],
  acceptAsNew: [
    'Choose a name and a password: you sign in with them from now on.',
    'Choisissez un nom et un mot de passe : ils vous serviront à vous connecter.',
  ],
  acceptAsUser: [
    'You have an account with this address. Accept, and sign in as ever.',
    'Vous avez un compte avec cette adresse. Acceptez, puis connectez-vous comme d’habitude.',
  ],
  acceptSignIn: [
    'You have an account with this address. Sign in with it to accept.',
    'Vous avez un compte avec cette adresse. Connectez-vous avec pour accepter.',
  ],
  accepted: ['You are a member now. Sign in.', 'Vous êtes membre. Connectez-vous.'],
  yourName: ['Your name', 'Votre nom'],
  welcome: ['Welcome, {name}', 'Bienvenue, {name}'],
  welcomeText: [
    'This registry is empty. Two steps, and a first plug-in is in it.',
    'Ce registre est vide. En deux étapes, un premier plug-in s’y trouvera.',
  ],
  welcomeMember: ['Here is what you can do.', 'Voici ce que vous pouvez faire.'],
  stepKey: ['1. Create an upload key for your pipeline', '1. Créez une clé de dépôt pour votre chaîne d’intégration'],
  stepKeyText: [
    'A key can be limited to one artefact, one package or one category.',
    'Une clé peut être limitée à un artefact, un paquet ou une catégorie.',
  ],
  stepUpload: ['2. Upload a first artefact', '2. Déposez un premier artefact'],
  stepUploadText: [
    'An npm tarball or a file: with the key from your pipeline, or here by drag and drop.',
    'Une archive npm ou un fichier : avec la clé depuis votre chaîne d’intégration, ou ici par glisser-déposer.',
  ],
  createKey: ['Create a key', 'Créer une clé'],
  uploadHere: ['Upload here', 'Déposer ici'],
  readKeys: ['Create read keys for your services', 'Créer des clés de lecture pour vos services'],
} as const satisfies Texts;
