// What the reading thread returns to the main thread: bounded, validated, and as text where it may be large, which
// crosses between threads at once.

import { fingerprintOf, type UpstreamArtefact } from './documents.ts';
import type { UpstreamSlot } from './bytes.ts';

/** More than any registry has; protects against an endless list. */
export const MAX_LISTED_ARTEFACTS = 100_000;
/** Of a listed document, which has a few KiB in general: a page of them must not delay the main thread. */
const MAX_TEXT_LENGTH = 32 * 1024;

/** One page of another registry's list. */
export interface UpstreamPage {
  /** Number of all artefacts, according to the registry. */
  count: number;
  /** Number of entries on this page, including invalid ones. */
  entries: number;
  artefacts: ListedArtefact[];
  /** Invalid documents, and why. */
  unusable: { id: string; reason: string }[];
}

/** What a run compares of an artefact. */
export interface ListedArtefact {
  id: string;
  format: UpstreamArtefact['format'];
  category: string;
  deprecated: boolean;
  origin: string | undefined;
  fingerprint: string;
  slots: Pick<UpstreamSlot, 'architecture' | 'digest' | 'sizeBytes'>[];
  /** Whether one of the given patterns matches it. */
  isMatch: boolean;
  /** The validated document as JSON, see `TextForm`; undefined where it is too large, or not kept. */
  text: string | undefined;
}

/**
 * `artefact`: an UpstreamArtefact; `document`: as its registry's API renders it, without what belongs to that alone,
 * and without schemas if it is large.
 */
export type TextForm = 'artefact' | 'document';

/** @param form undefined: without a text */
export function toListed(artefact: UpstreamArtefact, isMatch: boolean, form: TextForm | undefined): ListedArtefact {
  const { id, format, category, deprecated, origin, slots } = artefact;
  return {
    id,
    format,
    category,
    deprecated,
    origin,
    isMatch,
    fingerprint: fingerprintOf(artefact),
    slots: slots.map(({ architecture, digest, sizeBytes }) => ({ architecture, digest, sizeBytes })),
    text: form && textOf(artefact, form),
  };
}

function textOf(artefact: UpstreamArtefact, form: TextForm): string | undefined {
  const text = JSON.stringify(form === 'artefact' ? artefact : documentOf(artefact));
  if (text.length <= MAX_TEXT_LENGTH) return text;
  const withoutSchemas = { ...artefact, processingConfigSchema: undefined, applicationConfigSchema: undefined };
  return form === 'artefact' ? undefined : JSON.stringify(documentOf(withoutSchemas));
}

/** Renders a document from which `readUpstreamArtefact` reads the same artefact. */
export function documentOf({ id, slots, ...fields }: UpstreamArtefact): Record<string, unknown> {
  const [first] = slots;
  const hasSlots = fields.format === 'npm' && first?.route !== 'download';
  const rendered = slots.map(
    ({ architecture, digest, sizeBytes, version, fileName, uploadedAt, hasNativeModules, hasInstallScripts }) =>
      [
        architecture,
        { size: sizeBytes, digest, version, fileName, uploadedAt, hasNativeModules, hasInstallScripts },
      ] as const,
  );
  return {
    _id: id,
    name: id,
    ...(hasSlots ? { tarballs: Object.fromEntries(rendered) } : rendered[0]?.[1]),
    ...fields,
  };
}
