import { createI18n } from 'vue-i18n';
import { keep, recall } from '../stored.ts';
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
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- how the library is told which keys there are
  export interface DefineLocaleMessage extends Messages {}
}

export function createTranslations(known?: string) {
  const locale = chooseLanguage(known);
  document.documentElement.lang = locale;
  return createI18n({
    legacy: false,
    locale,
    fallbackLocale: 'en',
    messages: { en: messagesIn(0), fr: messagesIn(1) },
    pluralRules: { fr: (count) => (count < 2 ? 0 : 1) },
  });
}

/** Keeps what the reader chose for the next visit. */
export function storeLanguage(language: Language): void {
  keep('berth-language', language);
  document.documentElement.lang = language;
}

/** What the reader chose here, else what the platform knows of them, else the browser's. */
function chooseLanguage(known: string | undefined): Language {
  const candidates = [recall('berth-language'), known, ...navigator.languages];
  return (
    candidates.map((candidate) => LANGUAGES.find((language) => candidate?.startsWith(language))).find(Boolean) ?? 'en'
  );
}

function messagesIn(index: 0 | 1): Messages {
  const chosen = Object.entries(texts).map(([feature, entries]) => [
    feature,
    Object.fromEntries(Object.entries(entries as Texts).map(([key, pair]) => [key, escape(pair[index])])),
  ]);
  return Object.fromEntries(chosen) as Messages;
}

/** An `@` would refer to another text. */
function escape(text: string): string {
  return text.replaceAll('@', "{'@'}");
}
