import { createI18n } from 'vue-i18n';
import { loadPreference, savePreference } from '../preferences.ts';
import { account } from './messages/account.ts';
import { admin } from './messages/admin.ts';
import { artefact } from './messages/artefact.ts';
import { browse } from './messages/browse.ts';
import { common } from './messages/common.ts';
import { curation } from './messages/curation.ts';
import { publishers } from './messages/publishers.ts';
import { remotes } from './messages/remotes.ts';
import { signing } from './messages/signing.ts';
import type { Texts } from './types.ts';

export const LANGUAGES = ['en', 'fr'] as const;
export type Language = (typeof LANGUAGES)[number];

const texts = { common, browse, artefact, curation, signing, account, admin, publishers, remotes };
type Messages = { [Feature in keyof typeof texts]: Record<keyof (typeof texts)[Feature], string> };

declare module 'vue-i18n' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- declares the message keys to vue-i18n
  export interface DefineLocaleMessage extends Messages {}
}

/** @param sessionLanguage language of the signed-in user, as the identity service reports it */
export function createTranslations(sessionLanguage?: string) {
  const locale = chooseLanguage(sessionLanguage);
  document.documentElement.lang = locale;
  return createI18n({
    legacy: false,
    locale,
    fallbackLocale: 'en',
    messages: { en: messagesIn(0), fr: messagesIn(1) },
    pluralRules: { fr: (count) => (count < 2 ? 0 : 1) },
  });
}

/** Saves the chosen language for the next visit. */
export function storeLanguage(language: Language): void {
  savePreference('berth-language', language);
  document.documentElement.lang = language;
}

/** The saved preference, else the language of the session, else that of the browser. */
function chooseLanguage(sessionLanguage: string | undefined): Language {
  const candidates = [loadPreference('berth-language'), sessionLanguage, ...navigator.languages];
  return (
    candidates.map((candidate) => LANGUAGES.find((language) => candidate?.startsWith(language))).find(Boolean) ?? 'en'
  );
}

function messagesIn(index: 0 | 1): Messages {
  const messages = Object.entries(texts).map(([feature, entries]) => [
    feature,
    Object.fromEntries(Object.entries(entries as Texts).map(([key, pair]) => [key, escape(pair[index])])),
  ]);
  return Object.fromEntries(messages) as Messages;
}

/** Escapes `@`, which vue-i18n reads as a link to another message. */
function escape(text: string): string {
  return text.replaceAll('@', "{'@'}");
}
