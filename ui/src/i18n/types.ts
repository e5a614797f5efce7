/** Each text in English and in French, side by side. */
export type Texts = Record<string, readonly [en: string, fr: string]>;
