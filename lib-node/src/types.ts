// The wire shapes of the registry's HTTP API that this library reads and writes.

export type ArtefactFormat = 'npm' | 'file';

/** A text in the languages that it was written in. */
export interface LocalisedText {
  fr?: string;
  en?: string;
}

/** Who a service acts for. With `department`, that department alone. */
export interface AccountRef {
  type: 'user' | 'organization';
  id: string;
  department?: string | undefined;
}

/** One tarball of an npm artefact, for one architecture or for `noarch`. */
export interface ArtefactSlot {
  path?: string;
  /** Bytes of the tarball. */
  size?: number;
  /** `sha256:<64 hex digits>`; older registries give none. */
  digest?: string;
  version?: string;
  uploadedAt?: string;
  uploadedBy?: unknown;
  hasNativeModules?: boolean;
  hasInstallScripts?: boolean;
}

/** The document of an artefact, as `GET /artefacts/:id` answers it. */
export interface Artefact {
  _id: string;
  name?: string;
  format: ArtefactFormat;
  packageName?: string;
  /** For display only: an artefact is selected by its id alone. */
  version?: string;
  licence?: string;
  category?: string;
  /** Slots by architecture, on npm artefacts; registries that know no slots leave it out. */
  tarballs?: Record<string, ArtefactSlot>;
  path?: string;
  hasNativeModules?: boolean;
  size?: number;
  filePath?: string;
  fileName?: string;
  digest?: string;
  title?: LocalisedText;
  description?: LocalisedText;
  group?: LocalisedText;
  documentation?: string;
  processingConfigSchema?: unknown;
  applicationConfigSchema?: unknown;
  thumbnail?: { id: string; width: number; height: number };
  public?: boolean;
  privateAccess?: AccountRef[];
  deprecated?: boolean;
  /** Base URL of the registry that a mirror was copied from. */
  origin?: string;
  uploadedBy?: unknown;
  createdAt?: string;
  updatedAt?: string;
  /** ISO 8601 UTC; moves with every upload and every removal of a slot. */
  dataUpdatedAt?: string;
}

export interface ArtefactList {
  results: Artefact[];
  count: number;
}
