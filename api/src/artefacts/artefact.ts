// The domain model of artefacts and slots. repository.ts stores them, document.ts renders them for the API.

import type { Account, Uploader } from '../access/index.ts';
import type { Digest } from '../digests/index.ts';
import type { PackageLinks, TarballWarning } from '../tarballs/index.ts';

export type Format = 'npm' | 'file';
export const FORMATS = ['npm', 'file'] as const satisfies Format[];

/** A text in the languages of the web interface. */
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
  /** From the manifest, like `keywords` and `links`; shown where there is no `description`. */
  packageDescription?: string | undefined;
  keywords?: string[] | undefined;
  links?: PackageLinks | undefined;
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
  /** Mirrors only: URL of the remote registry. */
  origin?: string | undefined;
  uploadedBy: Uploader;
  createdAt: string;
  updatedAt: string;
  dataUpdatedAt: string;
  /** `Last-Modified` of downloads: Unix time in whole seconds, strictly increasing. */
  lastModifiedSeconds: number;
}

export interface Slot {
  /** FILE_SLOT for a file artefact. */
  architecture: string;
  digest: Digest;
  /** Identifies these bytes in this slot on the wire; not the storage location. */
  path: string;
  sizeBytes: number;
  version?: string | undefined;
  fileName?: string | undefined;
  uploadedAt: string;
  uploadedBy: Uploader;
  hasNativeModules: boolean;
  hasInstallScripts: boolean;
  /** Names in the tarball that not all systems can hold or tell apart; not stored with the slot, but with the scan. */
  warnings: readonly TarballWarning[];
  /** Whether the package itself has native code; from the scan too, undefined while that is from before version 3. */
  hasNativeCode?: boolean | undefined;
}

/** The slot of portable builds; the default. */
export const NOARCH = 'noarch';
/** The only slot of a file artefact. */
export const FILE_SLOT = '';
