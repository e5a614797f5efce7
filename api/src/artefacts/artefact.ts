// What an artefact is, apart from how it is stored (repository.ts) and sent (document.ts).

import type { Account, Uploader } from '../access/index.ts';
import type { Digest } from '../digests/index.ts';

export type Format = 'npm' | 'file';
export const FORMATS = ['npm', 'file'] as const satisfies Format[];

/** A text in the languages of the interface. */
export interface LocalisedText {
  fr?: string;
  en?: string;
}

export interface Artefact {
  id: string;
  format: Format;
  packageName?: string | undefined;
  version?: string | undefined;
  licence?: string | undefined;
  category: string;
  title?: LocalisedText | undefined;
  description?: LocalisedText | undefined;
  group?: LocalisedText | undefined;
  documentation?: string | undefined;
  processingConfigSchema?: unknown;
  applicationConfigSchema?: unknown;
  thumbnail?: { id: string; width: number; height: number } | undefined;
  public: boolean;
  privateAccess: Account[];
  deprecated: boolean;
  /** URL of the remote registry that a mirror comes from. */
  origin?: string | undefined;
  uploadedBy: Uploader;
  createdAt: string;
  updatedAt: string;
  dataUpdatedAt: string;
  /** Whole seconds, strictly increasing: `Last-Modified` of downloads. */
  lastModifiedSeconds: number;
}

export interface Slot {
  /** FILE_SLOT on a file artefact. */
  architecture: string;
  digest: Digest;
  /** Names these bytes in this slot on the wire; never where they are stored. */
  path: string;
  sizeBytes: number;
  version?: string | undefined;
  fileName?: string | undefined;
  uploadedAt: string;
  uploadedBy: Uploader;
  hasNativeModules: boolean;
  hasInstallScripts: boolean;
}

/** The slot of portable builds, and the default. */
export const NOARCH = 'noarch';
/** The one slot of a file artefact. */
export const FILE_SLOT = '';
