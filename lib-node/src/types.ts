// Types of the registry's HTTP API that this library reads and writes.

export type ArtefactFormat = 'npm' | 'file';

/** A text in one or both languages. */
export interface LocalisedText {
  fr?: string;
  en?: string;
}

/** An account; with `department`, only that department. */
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
  /** `sha256:<64 hex digits>`; older registries provide none. */
  digest?: string;
  version?: string;
  uploadedAt?: string;
  uploadedBy?: unknown;
  hasNativeModules?: boolean;
  hasInstallScripts?: boolean;
  /** Names in the tarball that not all systems can unpack; missing if there are none, or on older registries. */
  warnings?: TarballWarning[];
}

export interface TarballWarning {
  /**
   * - `name_collision`: names that are the same where case or the form of accents is ignored, as on macOS and Windows
   * - `windows_name`: names that Windows cannot hold
   */
  code: string;
  /** Number of entries. */
  count: number;
  /** Up to four of them; only for superadmins, internal services and the uploader. */
  paths?: string[];
}

/** The document of an artefact, as `GET /artefacts/:id` returns it. */
export interface Artefact {
  _id: string;
  name?: string;
  format: ArtefactFormat;
  packageName?: string;
  /** For display only: an artefact is selected by its id alone. */
  version?: string;
  licence?: string;
  category?: string;
  /** Slots of an npm artefact by architecture; absent on registries without slots. */
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
  /** ISO 8601 UTC; changes with every upload and every removal of a slot. */
  dataUpdatedAt?: string;
}

export interface ArtefactList {
  results: Artefact[];
  count: number;
}

/** An event of a registry: a CloudEvent 1.0. Later registries may have more types, and more fields in `data`. */
export interface BerthEvent {
  specversion: '1.0';
  /** Place in the events, to go on from (`after`). */
  id: string;
  /** The registry's public URL. */
  source: string;
  /** `berth.artefact.updated`, …: the guide on events lists all. */
  type: string;
  /** Id of what the event is about: of an artefact, for types that begin with `berth.artefact.` or `berth.slot.`. */
  subject?: string;
  /** ISO 8601 UTC. */
  time: string;
  datacontenttype?: string;
  data: Record<string, unknown>;
}
