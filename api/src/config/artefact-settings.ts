// Settings of what may be published, of the audit log and of events.

import { Type } from 'typebox';
import { List } from './field-types.ts';

const GIB = 1024 ** 3;

export const artefactSettings = {
  MAX_UPLOAD_BYTES: Type.Integer({
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 200 * GIB,
    description: 'Maximum size of an upload, in bytes (200 GiB)',
  }),
  MAX_UNPACKED_BYTES: Type.Integer({
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 4 * GIB,
    description: 'Maximum unpacked size of an npm tarball, in bytes (4 GiB)',
  }),
  MAX_TAR_ENTRIES: Type.Integer({
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 200_000,
    description: 'Maximum number of entries in an npm tarball',
  }),
  CATEGORIES: List({
    default: ['processing', 'catalog', 'application', 'tileset', 'maplibre-style', 'other'],
    accepts: (name) => /^[a-z0-9][a-z0-9._-]{0,63}$/i.test(name),
    expected: 'a comma-separated list of names of letters, digits, dots, underscores and hyphens (at most 64 each)',
    description: 'Categories of artefacts; "other" is always included',
  }),
  AUDIT_RETENTION_DAYS: Type.Integer({
    minimum: 1,
    maximum: 36_500,
    default: 365,
    description: 'How long audit log events are kept',
  }),
  EVENTS_DAYS: Type.Integer({
    minimum: 1,
    maximum: 3_650,
    default: 30,
    description: 'How many days events are kept for consumers that were away',
  }),
};
