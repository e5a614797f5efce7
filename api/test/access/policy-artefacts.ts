// The policy's test tables for artefacts: seeing, downloading, uploading and editing.

import type { Visibility } from '../../src/access/index.ts';
import { ACME, ACME_GEO, ACME_SEA, OTHER, UMA } from './callers.ts';
import { UPLOAD, type Action, type Matrix } from './policy-table.ts';

const sharedWith = (...privateAccess: Visibility['privateAccess']): Visibility => ({ public: false, privateAccess });

const ARTEFACTS = {
  'public': { public: true, privateAccess: [] },
  'private': sharedWith(),
  'of Acme': sharedWith(OTHER, ACME),
  'of geo': sharedWith(ACME_GEO),
  'of sea': sharedWith(ACME_SEA),
  'of Uma': sharedWith(UMA),
  'of user acme': sharedWith({ type: 'user', id: 'acme' }),
};
const forEachArtefact = (name: 'seeArtefact' | 'downloadArtefact') =>
  Object.fromEntries(
    Object.entries(ARTEFACTS).map(([column, artefact]) => [column, [name, artefact] satisfies Action]),
  );

export const ARTEFACT_MATRICES: Record<string, Matrix> = {
  'seeing an artefact': {
    actions: forEachArtefact('seeArtefact'),
    cells: `
                                    | public | private    | of Acme | of geo     | of sea     | of Uma     | of user acme
      anonymous                     | yes    | 404        | 404     | 404        | 404        | 404        | 404
      internal                      | yes    | yes        | yes     | yes        | yes        | yes        | yes
      internal for Acme             | yes    | not shared | yes     | not shared | not shared | not shared | not shared
      internal for Acme/geo         | yes    | not shared | yes     | yes        | not shared | not shared | not shared
      upload key                    | yes    | 404        | 404     | 404        | 404        | 404        | 404
      read key of Acme              | yes    | 404        | yes     | 404        | 404        | 404        | 404
      read key of Acme without grant| yes    | 404        | yes     | 404        | 404        | 404        | 404
      read key of Acme/geo          | yes    | 404        | yes     | yes        | 404        | 404        | 404
      superadmin                    | yes    | yes        | yes     | yes        | yes        | yes        | yes
      admin of Acme                 | yes    | 404        | yes     | 404        | 404        | 404        | 404
      admin of Acme/geo             | yes    | 404        | yes     | yes        | 404        | 404        | 404
      member of Acme                | yes    | 404        | yes     | 404        | 404        | 404        | 404
      member of Acme without grant  | yes    | 404        | yes     | 404        | 404        | 404        | 404
      member of Acme/geo            | yes    | 404        | yes     | yes        | 404        | 404        | 404
      Uma for herself               | yes    | 404        | 404     | 404        | 404        | yes        | 404
      admin of another organisation | yes    | 404        | yes     | 404        | 404        | 404        | 404`,
  },

  'downloading an artefact': {
    actions: forEachArtefact('downloadArtefact'),
    cells: `
                                    | public   | private    | of Acme  | of geo     | of sea     | of Uma     | of user acme
      anonymous                     | 401      | 404        | 404      | 404        | 404        | 404        | 404
      internal                      | yes      | yes        | yes      | yes        | yes        | yes        | yes
      internal for Acme             | yes      | not shared | yes      | not shared | not shared | not shared | not shared
      internal for Acme/geo         | yes      | not shared | yes      | yes        | not shared | not shared | not shared
      upload key                    | 401      | 404        | 404      | 404        | 404        | 404        | 404
      read key of Acme              | yes      | 404        | yes      | 404        | 404        | 404        | 404
      read key of Acme without grant| no grant | 404        | no grant | 404        | 404        | 404        | 404
      read key of Acme/geo          | yes      | 404        | yes      | yes        | 404        | 404        | 404
      superadmin                    | yes      | yes        | yes      | yes        | yes        | yes        | yes
      admin of Acme                 | yes      | 404        | yes      | 404        | 404        | 404        | 404
      admin of Acme/geo             | yes      | 404        | yes      | yes        | 404        | 404        | 404
      member of Acme                | yes      | 404        | yes      | 404        | 404        | 404        | 404
      member of Acme without grant  | no grant | 404        | no grant | 404        | 404        | 404        | 404
      member of Acme/geo            | yes      | 404        | yes      | yes        | 404        | 404        | 404
      Uma for herself               | yes      | 404        | 404      | 404        | 404        | yes        | 404
      admin of another organisation | yes      | 404        | yes      | 404        | 404        | 404        | 404`,
  },

  'uploading and editing artefacts': {
    actions: {
      'start upload': ['startUpload', UPLOAD.id],
      'commit upload': ['commitUpload', UPLOAD],
      'edit': ['editArtefact'],
      'see provenance': ['seeProvenance'],
      'list groups': ['listGroups'],
      'sort by access': ['sortByAccess'],
    },
    cells: `
                                    | start upload | commit upload | edit      | see provenance | list groups | sort by access
      anonymous                     | 401          | 401           | 401       | 401            | 401         | 401
      internal                      | yes          | yes           | yes       | yes            | 403         | 403
      internal for Acme             | read only    | read only     | read only | 403            | 403         | 403
      internal for Acme/geo         | read only    | read only     | read only | 403            | 403         | 403
      upload key                    | yes          | yes           | 403       | 403            | 403         | 403
      read key of Acme              | 403          | 403           | 403       | 403            | 403         | 403
      read key of Acme without grant| 403          | 403           | 403       | 403            | 403         | 403
      read key of Acme/geo          | 403          | 403           | 403       | 403            | 403         | 403
      superadmin                    | yes          | yes           | yes       | yes            | yes         | yes
      admin of Acme                 | 403          | 403           | 403       | 403            | 403         | 403
      admin of Acme/geo             | 403          | 403           | 403       | 403            | 403         | 403
      member of Acme                | 403          | 403           | 403       | 403            | 403         | 403
      member of Acme without grant  | 403          | 403           | 403       | 403            | 403         | 403
      member of Acme/geo            | 403          | 403           | 403       | 403            | 403         | 403
      Uma for herself               | 403          | 403           | 403       | 403            | 403         | 403
      admin of another organisation | 403          | 403           | 403       | 403            | 403         | 403`,
  },

  'resumable uploads': {
    actions: {
      'authorize': ['authorizeUpload', UPLOAD],
      'of nobody': ['continueUpload', undefined],
      'of the key': ['continueUpload', { id: UPLOAD.id, createdBy: 'upload-key:key-1' }],
      'of another key': ['continueUpload', { id: UPLOAD.id, createdBy: 'upload-key:key-2' }],
      'of Uma': ['continueUpload', { id: UPLOAD.id, createdBy: 'user:uma' }],
      'of a service': ['continueUpload', { id: UPLOAD.id, createdBy: 'internal' }],
    },
    cells: `
                                    | authorize | of nobody | of the key | of another key | of Uma    | of a service
      anonymous                     | 401       | 401       | 401        | 401            | 401       | 401
      internal                      | yes       | unknown   | unknown    | unknown        | unknown   | yes
      internal for Acme             | read only | read only | read only  | read only      | read only | read only
      internal for Acme/geo         | read only | read only | read only  | read only      | read only | read only
      upload key                    | yes       | unknown   | yes        | unknown        | unknown   | unknown
      read key of Acme              | 403       | 403       | 403        | 403            | 403       | 403
      read key of Acme without grant| 403       | 403       | 403        | 403            | 403       | 403
      read key of Acme/geo          | 403       | 403       | 403        | 403            | 403       | 403
      superadmin                    | yes       | unknown   | unknown    | unknown        | yes       | unknown
      admin of Acme                 | 403       | 403       | 403        | 403            | 403       | 403
      admin of Acme/geo             | 403       | 403       | 403        | 403            | 403       | 403
      member of Acme                | 403       | 403       | 403        | 403            | 403       | 403
      member of Acme without grant  | 403       | 403       | 403        | 403            | 403       | 403
      member of Acme/geo            | 403       | 403       | 403        | 403            | 403       | 403
      Uma for herself               | 403       | 403       | 403        | 403            | 403       | 403
      admin of another organisation | 403       | 403       | 403        | 403            | 403       | 403`,
  },
};
