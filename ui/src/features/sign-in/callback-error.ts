// Error codes with which the callback of the OpenID provider sends the browser to the sign-in page: those of the
// registry, of better-auth, and of the provider itself (RFC 6749, section 4.1.2.1).

const TEXTS = {
  email_not_found: 'noAddress',
  email_not_verified: 'unverifiedAddress',
  email_of_another_user: 'addressOfAnother',
  another_subject: 'anotherSubject',
  user_disabled: 'userDisabled',
  banned: 'userDisabled',
  BANNED_USER: 'userDisabled',
  access_denied: 'providerRefused',
  consent_required: 'providerRefused',
  interaction_required: 'providerRefused',
  login_required: 'providerRefused',
  account_selection_required: 'providerRefused',
  no_code: 'startAgain',
  nonce_binding_missing: 'startAgain',
  state_security_mismatch: 'startAgain',
  state_invalid: 'startAgain',
  state_mismatch: 'startAgain',
  state_not_found: 'startAgain',
} as const;

/** Returns the key of the text for a code; codes that only administrators can act on share one. */
export function callbackErrorText(code: string) {
  const isKnown = (text: string): text is keyof typeof TEXTS => Object.hasOwn(TEXTS, text);
  return `signing.${isKnown(code) ? TEXTS[code] : 'providerFailed'}` as const;
}
