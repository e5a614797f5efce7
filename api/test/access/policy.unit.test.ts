import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Caller, Refusal, Visibility } from '../../src/access/index.ts';
import { enforce, policy } from '../../src/access/index.ts';
import { ACME, ACME_GEO, ACME_SEA, CALLER_NAMES, CALLERS, OTHER, UMA, type CallerName } from './callers.ts';
import { outcomeOf, readTable, UPLOAD } from './policy-table.ts';

type PolicyName = keyof typeof policy;
/** A function of the policy and what it is asked about, the caller aside. */
type Question = {
  [Name in PolicyName]: Parameters<(typeof policy)[Name]> extends [Caller, ...infer About] ? [Name, ...About] : never;
}[PolicyName];
interface Matrix {
  questions: Record<string, Question>;
  cells: string;
}

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
const aboutArtefacts = (name: 'seeArtefact' | 'downloadArtefact') =>
  Object.fromEntries(
    Object.entries(ARTEFACTS).map(([column, artefact]) => [column, [name, artefact] satisfies Question]),
  );

/** Every caller × every function of the policy × what makes a difference to it. */
const MATRICES: Record<string, Matrix> = {
  'seeing an artefact that is': {
    questions: aboutArtefacts('seeArtefact'),
    cells: `
                                    | public | private | of Acme | of geo | of sea | of Uma | of user acme
      anonymous                     | yes    | 404     | 404     | 404    | 404    | 404    | 404
      internal                      | yes    | yes     | yes     | yes    | yes    | yes    | yes
      internal for Acme             | yes    | 404     | yes     | 404    | 404    | 404    | 404
      internal for Acme/geo         | yes    | 404     | yes     | yes    | 404    | 404    | 404
      upload key                    | yes    | 404     | 404     | 404    | 404    | 404    | 404
      read key of Acme              | yes    | 404     | yes     | 404    | 404    | 404    | 404
      read key of Acme without grant| yes    | 404     | yes     | 404    | 404    | 404    | 404
      read key of Acme/geo          | yes    | 404     | yes     | yes    | 404    | 404    | 404
      superadmin                    | yes    | yes     | yes     | yes    | yes    | yes    | yes
      admin of Acme                 | yes    | 404     | yes     | 404    | 404    | 404    | 404
      admin of Acme/geo             | yes    | 404     | yes     | yes    | 404    | 404    | 404
      member of Acme                | yes    | 404     | yes     | 404    | 404    | 404    | 404
      member of Acme without grant  | yes    | 404     | yes     | 404    | 404    | 404    | 404
      member of Acme/geo            | yes    | 404     | yes     | yes    | 404    | 404    | 404
      Uma for herself               | yes    | 404     | 404     | 404    | 404    | yes    | 404
      admin of another organisation | yes    | 404     | yes     | 404    | 404    | 404    | 404`,
  },

  'downloading an artefact that is': {
    questions: aboutArtefacts('downloadArtefact'),
    cells: `
                                    | public   | private | of Acme  | of geo | of sea | of Uma | of user acme
      anonymous                     | 401      | 404     | 404      | 404    | 404    | 404    | 404
      internal                      | yes      | yes     | yes      | yes    | yes    | yes    | yes
      internal for Acme             | yes      | 404     | yes      | 404    | 404    | 404    | 404
      internal for Acme/geo         | yes      | 404     | yes      | yes    | 404    | 404    | 404
      upload key                    | 401      | 404     | 404      | 404    | 404    | 404    | 404
      read key of Acme              | yes      | 404     | yes      | 404    | 404    | 404    | 404
      read key of Acme without grant| no grant | 404     | no grant | 404    | 404    | 404    | 404
      read key of Acme/geo          | yes      | 404     | yes      | yes    | 404    | 404    | 404
      superadmin                    | yes      | yes     | yes      | yes    | yes    | yes    | yes
      admin of Acme                 | yes      | 404     | yes      | 404    | 404    | 404    | 404
      admin of Acme/geo             | yes      | 404     | yes      | yes    | 404    | 404    | 404
      member of Acme                | yes      | 404     | yes      | 404    | 404    | 404    | 404
      member of Acme without grant  | no grant | 404     | no grant | 404    | 404    | 404    | 404
      member of Acme/geo            | yes      | 404     | yes      | yes    | 404    | 404    | 404
      Uma for herself               | yes      | 404     | 404      | 404    | 404    | yes    | 404
      admin of another organisation | yes      | 404     | yes      | 404    | 404    | 404    | 404`,
  },

  'artefacts: may': {
    questions: {
      'start upload': ['startUpload', UPLOAD.id],
      'commit upload': ['commitUpload', UPLOAD],
      'edit': ['editArtefact'],
      'see provenance': ['seeProvenance'],
      'list groups': ['listGroups'],
    },
    cells: `
                                    | start upload | commit upload | edit      | see provenance | list groups
      anonymous                     | 401          | 401           | 401       | 401            | 401
      internal                      | yes          | yes           | yes       | yes            | 403
      internal for Acme             | read only    | read only     | read only | yes            | 403
      internal for Acme/geo         | read only    | read only     | read only | yes            | 403
      upload key                    | yes          | yes           | 403       | 403            | 403
      read key of Acme              | 403          | 403           | 403       | 403            | 403
      read key of Acme without grant| 403          | 403           | 403       | 403            | 403
      read key of Acme/geo          | 403          | 403           | 403       | 403            | 403
      superadmin                    | yes          | yes           | yes       | yes            | yes
      admin of Acme                 | 403          | 403           | 403       | 403            | 403
      admin of Acme/geo             | 403          | 403           | 403       | 403            | 403
      member of Acme                | 403          | 403           | 403       | 403            | 403
      member of Acme without grant  | 403          | 403           | 403       | 403            | 403
      member of Acme/geo            | 403          | 403           | 403       | 403            | 403
      Uma for herself               | 403          | 403           | 403       | 403            | 403
      admin of another organisation | 403          | 403           | 403       | 403            | 403`,
  },

  'resumable uploads: may': {
    questions: {
      'announce': ['announceUpload', UPLOAD],
      'of nobody': ['continueUpload', undefined],
      'of the key': ['continueUpload', { id: UPLOAD.id, createdBy: 'upload-key:key-1' }],
      'of another key': ['continueUpload', { id: UPLOAD.id, createdBy: 'upload-key:key-2' }],
      'of Uma': ['continueUpload', { id: UPLOAD.id, createdBy: 'user:uma' }],
      'of a service': ['continueUpload', { id: UPLOAD.id, createdBy: 'internal' }],
    },
    cells: `
                                    | announce  | of nobody | of the key | of another key | of Uma    | of a service
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

  'creating a key': {
    questions: {
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
    questions: {
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

  'access grants: may': {
    questions: {
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

  'accounts and server: may': {
    questions: {
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

  'one organisation and finding accounts: may': {
    questions: {
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

for (const [name, { questions, cells }] of Object.entries(MATRICES)) {
  describe(name, () => {
    const { columns, rows } = readTable(cells);
    test('every caller and every question has a cell', () => {
      assert.deepEqual(columns, Object.keys(questions));
      assert.deepEqual([...rows.keys()], CALLER_NAMES);
    });
    for (const [caller, outcomes] of rows) {
      test(`${caller}: ${outcomes.map((outcome, index) => `${columns[index]} ${outcome}`).join(', ')}`, () => {
        assert.deepEqual(
          columns.map((column) => outcomeOf(ask(CALLERS[caller as CallerName], questions[column]!))),
          outcomes,
        );
      });
    }
  });
}

test('every function of the policy is in a matrix', () => {
  const asked = new Set(
    Object.values(MATRICES)
      .flatMap(({ questions }) => Object.values(questions))
      .map(([name]) => name),
  );
  assert.deepEqual([...asked].sort(), Object.keys(policy).sort());
});

test('enforce throws a refusal and lets the rest pass', () => {
  assert.throws(
    () => {
      enforce(policy.editArtefact(CALLERS.anonymous));
    },
    { code: 'unauthenticated', status: 401 },
  );
  enforce(policy.editArtefact(CALLERS.superadmin));
});

function ask(caller: Caller, [name, ...about]: Question): Refusal {
  return (policy[name] as (caller: Caller, ...about: unknown[]) => Refusal)(caller, ...about);
}
