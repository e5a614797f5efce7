import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { policy, type DeclaredUpload, type KeyScopes, type Upload } from '../../src/access/index.ts';
import { uploadKeyCaller } from './callers.ts';
import { outcomeOf, readTable, UPLOAD } from './policy-table.ts';

describe('the scopes of an upload key must all match', () => {
  const SCOPES: Record<string, KeyScopes> = {
    'none': {},
    'name': { allowedName: '@acme/a@1' },
    'prefix': { allowedNamePrefix: '@acme/' },
    'package': { allowedPackageName: '@acme/a' },
    'category': { allowedCategory: 'processing' },
    'name and prefix': { allowedName: '@acme/a@1', allowedNamePrefix: '@acme/' },
    'name, wrong prefix': { allowedName: '@acme/a@1', allowedNamePrefix: '@other/' },
    'package and category': { allowedPackageName: '@acme/a', allowedCategory: 'processing' },
    'all four': {
      allowedName: '@acme/a@1',
      allowedNamePrefix: '@acme/',
      allowedPackageName: '@acme/a',
      allowedCategory: 'processing',
    },
  };
  const UPLOADS: Record<string, Upload> = {
    'matching': { ...UPLOAD, presentCategory: 'processing' },
    'new': UPLOAD,
    'id @2': { ...UPLOAD, id: '@acme/a@2' },
    'id @10': { ...UPLOAD, id: '@acme/a@10' },
    'id @Acme': { ...UPLOAD, id: '@Acme/a@1' },
    'id x': { ...UPLOAD, id: 'x@acme/a@1' },
    'package': { ...UPLOAD, packageName: '@acme/ab' },
    'category': { ...UPLOAD, category: 'catalog' },
    'present': { ...UPLOAD, presentCategory: 'catalog' },
    'file': { id: UPLOAD.id, format: 'file', category: 'processing' },
  };
  const atCommit = readTable(`
                         | matching | new   | id @2 | id @10 | id @Acme | id x  | package | category | present | file
    none                 | yes      | yes   | yes   | yes    | yes      | yes   | yes     | yes      | yes     | yes
    name                 | yes      | yes   | scope | scope  | scope    | scope | yes     | yes      | yes     | yes
    prefix               | yes      | yes   | yes   | yes    | scope    | scope | yes     | yes      | yes     | yes
    package              | yes      | yes   | yes   | yes    | yes      | yes   | scope   | yes      | yes     | scope
    category             | yes      | yes   | yes   | yes    | yes      | yes   | yes     | scope    | scope   | yes
    name and prefix      | yes      | yes   | scope | scope  | scope    | scope | yes     | yes      | yes     | yes
    name, wrong prefix   | scope    | scope | scope | scope  | scope    | scope | scope   | scope    | scope   | scope
    package and category | yes      | yes   | yes   | yes    | yes      | yes   | scope   | scope    | scope   | scope
    all four             | yes      | yes   | scope | scope  | scope    | scope | scope   | scope    | scope   | scope`);
  const atStart = readTable(`
                         | new   | id @2 | id @10 | id @Acme | id x
    none                 | yes   | yes   | yes    | yes      | yes
    name                 | yes   | scope | scope  | scope    | scope
    prefix               | yes   | yes   | yes    | scope    | scope
    package              | yes   | yes   | yes    | yes      | yes
    category             | yes   | yes   | yes    | yes      | yes
    name and prefix      | yes   | scope | scope  | scope    | scope
    name, wrong prefix   | scope | scope | scope  | scope    | scope
    package and category | yes   | yes   | yes    | yes      | yes
    all four             | yes   | scope | scope  | scope    | scope`);

  test('every combination of scopes and upload has a cell', () => {
    assert.deepEqual(atCommit.columns, Object.keys(UPLOADS));
    for (const { rows } of [atCommit, atStart]) assert.deepEqual([...rows.keys()], Object.keys(SCOPES));
  });
  for (const [name, scopes] of Object.entries(SCOPES)) {
    test(`${name}: at commit`, () => {
      assert.deepEqual(
        atCommit.columns.map((column) => outcomeOf(policy.commitUpload(uploadKeyCaller(scopes), UPLOADS[column]!))),
        atCommit.rows.get(name),
      );
    });
    test(`${name}: before the body is read, by ID alone`, () => {
      assert.deepEqual(
        atStart.columns.map((column) => outcomeOf(policy.startUpload(uploadKeyCaller(scopes), UPLOADS[column]!.id))),
        atStart.rows.get(name),
      );
    });
  }
});

describe('the scopes of an upload key are checked against declared fields before the first byte', () => {
  const { id } = UPLOAD;
  const DECLARED: Record<string, DeclaredUpload> = {
    'matching': { id, format: 'npm', category: 'processing', presentCategory: 'processing' },
    'npm': { id, format: 'npm' },
    'id @2': { id: '@acme/a@2', format: 'npm' },
    'category': { id, format: 'npm', category: 'catalog' },
    'present': { id, format: 'npm', presentCategory: 'catalog' },
    'file': { id, format: 'file', category: 'processing' },
    'its category': { id, format: 'file', category: 'other' },
  };
  const { columns, rows } = readTable(`
             | matching | npm | id @2 | category | present | file  | its category
    none     | yes      | yes | yes   | yes      | yes     | yes   | yes
    name     | yes      | yes | scope | yes      | yes     | yes   | yes
    package  | yes      | yes | yes   | yes      | yes     | scope | scope
    category | yes      | yes | yes   | scope    | scope   | yes   | scope`);
  const SCOPES: Record<string, KeyScopes> = {
    none: {},
    name: { allowedName: id },
    package: { allowedPackageName: '@acme/a' },
    category: { allowedCategory: 'processing' },
  };

  for (const [name, cells] of rows) {
    test(`${name}: with the declared fields`, () => {
      assert.deepEqual(columns, Object.keys(DECLARED));
      assert.deepEqual(
        columns.map((column) => outcomeOf(policy.authorizeUpload(uploadKeyCaller(SCOPES[name]), DECLARED[column]!))),
        cells,
      );
    });
  }
});
