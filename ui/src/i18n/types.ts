/** Messages by key, each in English and in French. */
export type Texts = Record<string, readonly [en: string, fr: string]>;
