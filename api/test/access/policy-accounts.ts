// The policy's test tables for API keys, access grants, accounts and the server.

import { ACME, ACME_GEO, ACME_SEA, UMA } from './callers.ts';
import type { Matrix } from './policy-table.ts';

export const ACCOUNT_MATRICES: Record<string, Matrix> = {
  'creating a key': {
    actions: {
      'list': ['listKeys'],
      'upload': ['createUploadKey'],
      'of Acme': ['createReadKey', ACME],
      'of geo': ['createReadKey', ACME_GEO],
      'of sea': ['createReadKey', ACME_SEA],
      'of Uma': ['createReadKey', UMA],
    },
    cells: `
                                    | list | upload | of Acme | of geo | of sea | of Uma
      anonymous                     | 401  | 401    | 401     | 401    | 401    | 401
      internal                      | 403  | 403    | 403     | 403    | 403    | 403
      internal for Acme             | 403  | 403    | 403     | 403    | 403    | 403
      internal for Acme/geo         | 403  | 403    | 403     | 403    | 403    | 403
      upload key                    | 403  | 403    | 403     | 403    | 403    | 403
      read key of Acme              | 403  | 403    | 403     | 403    | 403    | 403
      read key of Acme without grant| 403  | 403    | 403     | 403    | 403    | 403
      read key of Acme/geo          | 403  | 403    | 403     | 403    | 403    | 403
      superadmin                    | yes  | yes    | yes     | yes    | yes    | yes
      admin of Acme                 | yes  | 403    | yes     | yes    | yes    | 403
      admin of Acme/geo             | yes  | 403    | 403     | yes    | 403    | 403
      member of Acme                | yes  | 403    | 403     | 403    | 403    | 403
      member of Acme without grant  | yes  | 403    | 403     | 403    | 403    | 403
      member of Acme/geo            | yes  | 403    | 403     | 403    | 403    | 403
      Uma for herself               | yes  | 403    | 403     | 403    | 403    | yes
      admin of another organisation | yes  | 403    | 403     | 403    | 403    | 403`,
  },

  'revoking a key': {
    actions: {
      'upload': ['revokeKey', undefined],
      'of Acme': ['revokeKey', ACME],
      'of geo': ['revokeKey', ACME_GEO],
      'of sea': ['revokeKey', ACME_SEA],
      'of Uma': ['revokeKey', UMA],
    },
    cells: `
                                    | upload | of Acme | of geo | of sea | of Uma
      anonymous                     | 401    | 401     | 401    | 401    | 401
      internal                      | 403    | 403     | 403    | 403    | 403
      internal for Acme             | 403    | 403     | 403    | 403    | 403
      internal for Acme/geo         | 403    | 403     | 403    | 403    | 403
      upload key                    | 403    | 403     | 403    | 403    | 403
      read key of Acme              | 403    | 403     | 403    | 403    | 403
      read key of Acme without grant| 403    | 403     | 403    | 403    | 403
      read key of Acme/geo          | 403    | 403     | 403    | 403    | 403
      superadmin                    | yes    | yes     | yes    | yes    | yes
      admin of Acme                 | 403    | yes     | yes    | yes    | 403
      admin of Acme/geo             | 403    | 403     | yes    | 403    | 403
      member of Acme                | 403    | 403     | 403    | 403    | 403
      member of Acme without grant  | 403    | 403     | 403    | 403    | 403
      member of Acme/geo            | 403    | 403     | 403    | 403    | 403
      Uma for herself               | 403    | 403     | 403    | 403    | yes
      admin of another organisation | 403    | 403     | 403    | 403    | 403`,
  },

  'access grants': {
    actions: {
      'create': ['createGrant'],
      'list': ['listGrants'],
      'delete': ['deleteGrant'],
      'see own': ['seeOwnGrant'],
    },
    cells: `
                                    | create    | list | delete | see own
      anonymous                     | 401       | 401  | 401    | 401
      internal                      | yes       | 403  | 403    | 403
      internal for Acme             | read only | 403  | 403    | 403
      internal for Acme/geo         | read only | 403  | 403    | 403
      upload key                    | 403       | 403  | 403    | 403
      read key of Acme              | 403       | 403  | 403    | 403
      read key of Acme without grant| 403       | 403  | 403    | 403
      read key of Acme/geo          | 403       | 403  | 403    | 403
      superadmin                    | yes       | yes  | yes    | yes
      admin of Acme                 | 403       | 403  | 403    | yes
      admin of Acme/geo             | 403       | 403  | 403    | yes
      member of Acme                | 403       | 403  | 403    | yes
      member of Acme without grant  | 403       | 403  | 403    | yes
      member of Acme/geo            | 403       | 403  | 403    | yes
      Uma for herself               | 403       | 403  | 403    | yes
      admin of another organisation | 403       | 403  | 403    | yes`,
  },

  'accounts and server': {
    actions: {
      'choose account': ['chooseAccount'],
      'own sessions': ['manageOwnSessions'],
      'manage accounts': ['manageAccounts'],
      'see server info': ['seeServerInfo'],
      'see stats': ['seeStats'],
      'see audit': ['seeAudit'],
      'manage storage': ['manageStorage'],
      'manage remotes': ['manageRemotes'],
      'trust pipelines': ['manageTrustedPublishers'],
    },
    cells: `
                                    | choose account | own sessions   | manage accounts | see server info | see stats | see audit | manage storage | manage remotes | trust pipelines
      anonymous                     | 401            | 401            | 401             | 401             | 401       | 401       | 401            | 401            | 401
      internal                      | 403            | 403            | 403             | 403             | 403       | 403       | 403            | 403            | 403
      internal for Acme             | 403            | 403            | 403             | 403             | 403       | 403       | 403            | 403            | 403
      internal for Acme/geo         | 403            | 403            | 403             | 403             | 403       | 403       | 403            | 403            | 403
      upload key                    | 403            | 403            | 403             | 403             | 403       | 403       | 403            | 403            | 403
      read key of Acme              | 403            | 403            | 403             | 403             | 403       | 403       | 403            | 403            | 403
      read key of Acme without grant| 403            | 403            | 403             | 403             | 403       | 403       | 403            | 403            | 403
      read key of Acme/geo          | 403            | 403            | 403             | 403             | 403       | 403       | 403            | 403            | 403
      superadmin                    | yes            | yes            | yes             | yes             | yes       | yes       | yes            | yes            | yes
      admin of Acme                 | yes            | yes            | 403             | 403             | 403       | 403       | 403            | 403            | 403
      admin of Acme/geo             | yes            | yes            | 403             | 403             | 403       | 403       | 403            | 403            | 403
      member of Acme                | yes            | yes            | 403             | 403             | 403       | 403       | 403            | 403            | 403
      member of Acme without grant  | yes            | yes            | 403             | 403             | 403       | 403       | 403            | 403            | 403
      member of Acme/geo            | yes            | yes            | 403             | 403             | 403       | 403       | 403            | 403            | 403
      Uma for herself               | yes            | yes            | 403             | 403             | 403       | 403       | 403            | 403            | 403
      admin of another organisation | yes            | yes            | 403             | 403             | 403       | 403       | 403            | 403            | 403`,
  },

  'events': {
    actions: {
      read: ['readEvents'],
      operational: ['seeOperationalEvents'],
    },
    cells: `
                                    | read | operational
      anonymous                     | 401  | 401
      internal                      | yes  | yes
      internal for Acme             | yes  | 403
      internal for Acme/geo         | yes  | 403
      upload key                    | 403  | 403
      read key of Acme              | yes  | 403
      read key of Acme without grant| yes  | 403
      read key of Acme/geo          | yes  | 403
      superadmin                    | yes  | yes
      admin of Acme                 | yes  | 403
      admin of Acme/geo             | yes  | 403
      member of Acme                | yes  | 403
      member of Acme without grant  | yes  | 403
      member of Acme/geo            | yes  | 403
      Uma for herself               | yes  | 403
      admin of another organisation | yes  | 403`,
  },

  'what needs no right': {
    actions: {
      'exchange token': ['exchangeIdentityToken'],
      'accept invitation': ['acceptInvitation'],
    },
    cells: `
                                    | exchange token | accept invitation
      anonymous                     | yes            | yes
      internal                      | yes            | yes
      internal for Acme             | yes            | yes
      internal for Acme/geo         | yes            | yes
      upload key                    | yes            | yes
      read key of Acme              | yes            | yes
      read key of Acme without grant| yes            | yes
      read key of Acme/geo          | yes            | yes
      superadmin                    | yes            | yes
      admin of Acme                 | yes            | yes
      admin of Acme/geo             | yes            | yes
      member of Acme                | yes            | yes
      member of Acme without grant  | yes            | yes
      member of Acme/geo            | yes            | yes
      Uma for herself               | yes            | yes
      admin of another organisation | yes            | yes`,
  },

  'managing an organisation and finding accounts': {
    actions: {
      'manage Acme': ['manageOrganization', 'acme'],
      'manage another': ['manageOrganization', 'nowhere'],
      'find accounts': ['findAccounts'],
    },
    cells: `
                                    | manage Acme| manage another| find accounts
      anonymous                     | 401        | 401           | 401
      internal                      | 403        | 403           | 403
      internal for Acme             | 403        | 403           | 403
      internal for Acme/geo         | 403        | 403           | 403
      upload key                    | 403        | 403           | 403
      read key of Acme              | 403        | 403           | 403
      read key of Acme without grant| 403        | 403           | 403
      read key of Acme/geo          | 403        | 403           | 403
      superadmin                    | yes        | yes           | yes
      admin of Acme                 | yes        | 403           | 403
      admin of Acme/geo             | 403        | 403           | 403
      member of Acme                | 403        | 403           | 403
      member of Acme without grant  | 403        | 403           | 403
      member of Acme/geo            | 403        | 403           | 403
      Uma for herself               | 403        | 403           | 403
      admin of another organisation | 403        | 403           | 403`,
  },
};
