import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BerthError } from '../../src/errors.ts';
import { EVENTS } from '../../src/trusted-publishers/events.ts';
import { checkFields } from '../../src/trusted-publishers/new-publisher.ts';
import type { NewPublisher } from '../../src/trusted-publishers/schemas.ts';

const GITHUB: NewPublisher = { name: 'CI', provider: 'github', repository: 'acme/gpkg', branch: 'main' };
const GITLAB: NewPublisher = { ...GITHUB, provider: 'gitlab', repository: 'acme/geo/gpkg' };
const ON_EXAMPLE: NewPublisher = { ...GITLAB, issuer: 'https://git.example.org/base' };
const CATEGORIES = ['processing', 'other'];

/** Returns the paths of the refused fields; none if the fields are accepted. */
function refusals(fields: NewPublisher): string[] {
  try {
    checkFields(fields, CATEGORIES);
    return [];
  } catch (error) {
    assert.equal((error as BerthError).code, 'trusted_publisher_invalid');
    return (error as BerthError).errors?.map(({ path }) => path) ?? [];
  }
}

describe('fields of a new trusted publisher are normalised', () => {
  const table: [base: NewPublisher, given: Partial<NewPublisher>, expected: Record<string, unknown>][] = [
    [GITHUB, {}, { issuer: 'https://token.actions.githubusercontent.com' }],
    [GITLAB, {}, { issuer: 'https://gitlab.com' }],
    [GITLAB, { issuer: 'https://git.example.org/' }, { issuer: 'https://git.example.org' }],
    [GITLAB, { issuer: 'https://git.example.org//' }, { issuer: 'https://git.example.org' }],
    [GITLAB, { issuer: ' https://git.example.org/base/ ' }, { issuer: 'https://git.example.org/base' }],
    [
      GITLAB,
      { issuer: 'https://git.example.org/.well-known/openid-configuration' },
      { issuer: 'https://git.example.org' },
    ],
    [GITLAB, { issuer: 'http://localhost:8080' }, { issuer: 'http://localhost:8080' }],
    [
      GITHUB,
      { issuer: 'https://token.actions.githubusercontent.com/acme' },
      { issuer: 'https://token.actions.githubusercontent.com/acme' },
    ],
    [GITHUB, { repository: ' acme/gpkg\u00a0' }, { repository: 'acme/gpkg' }],
    [GITHUB, { repository: 'https://github.com/acme/gpkg' }, { repository: 'acme/gpkg' }],
    [GITHUB, { repository: 'https://GitHub.com/Acme/gpkg/' }, { repository: 'Acme/gpkg' }],
    [GITHUB, { repository: 'github.com/acme/gpkg.git' }, { repository: 'acme/gpkg' }],
    [GITHUB, { repository: 'git@github.com:acme/gpkg.git' }, { repository: 'acme/gpkg' }],
    [GITHUB, { repository: 'ssh://git@github.com/acme/.github' }, { repository: 'acme/.github' }],
    [GITHUB, { repository: 'acme/gpkg.git' }, { repository: 'acme/gpkg' }],
    [
      GITHUB,
      { issuer: 'https://ghe.example.org/_services/token', repository: 'https://ghe.example.org/acme/gpkg' },
      { repository: 'acme/gpkg' },
    ],
    [GITLAB, { repository: 'https://gitlab.com/acme/geo/gpkg.git' }, { repository: 'acme/geo/gpkg' }],
    [ON_EXAMPLE, { repository: 'https://git.example.org/base/acme/geo/gpkg' }, { repository: 'acme/geo/gpkg' }],
    [GITHUB, { repositoryId: ' 4242 ' }, { repositoryId: '4242' }],
    [GITHUB, { workflow: '.github/workflows/publish.yml' }, { workflow: 'publish.yml' }],
    [GITHUB, { workflow: './.github/workflows/publish.yaml' }, { workflow: 'publish.yaml' }],
    [GITHUB, { workflow: ' publish.yml' }, { workflow: 'publish.yml' }],
    [GITLAB, { workflow: '/ci/publish.yml' }, { workflow: 'ci/publish.yml' }],
    [GITHUB, { branch: 'refs/heads/main' }, { branch: 'main' }],
    [GITHUB, { branch: ' release/* ' }, { branch: 'release/*' }],
    [GITHUB, { tag: 'refs/tags/v*' }, { tag: 'v*' }],
    [GITHUB, { tag: '@acme/gpkg@*' }, { tag: '@acme/gpkg@*' }],
    [GITHUB, { environment: ' production ' }, { environment: 'production' }],
    [GITHUB, { allowedName: ' a@1 ', allowedCategory: 'other' }, { allowedName: 'a@1', allowedCategory: 'other' }],
    [GITHUB, { events: ['push', ' push', 'release'] }, { events: ['push', 'release'] }],
    [GITHUB, { anyRef: false }, { anyRef: undefined }],
  ];
  for (const [base, given, expected] of table) {
    test(`${base.provider}: ${JSON.stringify(given)}`, () => {
      const checked = checkFields({ ...base, ...given }, CATEGORIES);
      for (const [field, value] of Object.entries(expected))
        assert.deepEqual(checked[field as keyof typeof checked], value);
      assert.ok(Object.values(checked).every((value) => value !== undefined));
    });
  }
});

describe('fields that no job could match are refused', () => {
  for (const [base, field, values] of [
    [
      GITLAB,
      'issuer',
      [
        'http://example.org',
        'ftp://example.org',
        'https://a:b@example.org',
        'https://example.org?x=1',
        'https://example.org/?x=1',
        'https://example.org#x',
        'http://localhost.example.org',
        'https://example.org:443',
        'https://example.org/a/../b',
        'https:example.org',
        'HTTPS://example.org',
        'https://example.org /x',
        'example.org',
        'https://token.actions.githubusercontent.com',
        'https://github.com',
        '/',
      ],
    ],
    [GITHUB, 'issuer', ['https://gitlab.com', 'https://gitlab.com/', 'https://github.com', 'https://github.com/acme']],
    [
      GITHUB,
      'repository',
      [
        'acme',
        '/gpkg',
        'acme/',
        'acme/geo/gpkg',
        'acme//gpkg',
        'acme/ gpkg',
        'acme/gpkg@main',
        'acme/..',
        './gpkg',
        'acme/géo',
        'https://gitlab.com/acme/gpkg',
        'https://github.com/acme',
        'https://github.com/acme/gpkg/tree/main',
        'https://user:secret@github.com/acme/gpkg',
        'https://github.com.example.org/acme/gpkg',
        '.git',
      ],
    ],
    [
      GITLAB,
      'repository',
      [
        'acme',
        'acme/',
        '/acme/gpkg',
        'acme/gpkg/-/tree/main',
        'acme/../gpkg',
        'https://github.com/acme/gpkg',
        'gitlab.com/acme',
      ],
    ],
    [ON_EXAMPLE, 'repository', ['https://git.example.org/acme/gpkg', 'https://gitlab.com/acme/gpkg']],
    [GITHUB, 'repositoryId', ['acme', '0', '042', '4.2', '-1', '1e3', '٤٢']],
    [
      GITHUB,
      'workflow',
      [
        'publish',
        'Publish to Berth',
        'publish.yml@refs/heads/main',
        'ci/publish.yml',
        'workflows/publish.yml',
        'publish.YML',
      ],
    ],
    [
      GITLAB,
      'workflow',
      ['.gitlab-ci', 'ci.yml@acme/ci', '../ci.yml', 'ci//publish.yml', 'https://example.org/ci.yml?x'],
    ],
    [
      GITHUB,
      'branch',
      [
        'refs/tags/v1',
        'refs/heads/',
        'a b',
        'a..b',
        'a:b',
        'category:x',
        'v1?',
        'v[12]',
        '/main',
        'main/',
        'a//b',
        '.a',
        'a.lock',
        'a@{1}',
        'a\\b',
        '~',
        'x^',
      ],
    ],
    [GITHUB, 'tag', ['refs/heads/main', 'v1.', 'v 1']],
    [GITHUB, 'allowedCategory', ['none such']],
  ] as const) {
    for (const value of values)
      test(`${base.provider}: ${field} ${value}`, () => {
        assert.deepEqual(refusals({ ...base, [field]: value }), [`/${field}`]);
      });
  }

  test('events of the other platform, and unknown ones', () => {
    for (const provider of ['github', 'gitlab'] as const) {
      const base = provider === 'github' ? GITHUB : GITLAB;
      const other = provider === 'github' ? 'gitlab' : 'github';
      assert.deepEqual(refusals({ ...base, events: [...EVENTS[provider]] }), []);
      for (const event of EVENTS[other].filter((name) => !EVENTS[provider].includes(name)))
        assert.deepEqual(refusals({ ...base, events: ['push', event] }), ['/events'], event);
      assert.deepEqual(refusals({ ...base, events: ['Push'] }), ['/events']);
    }
  });
});

test('a publisher names a branch, a tag or an environment, or says that it accepts any ref', () => {
  const bare: NewPublisher = { name: 'CI', provider: 'github', repository: 'acme/gpkg' };
  const given: Partial<NewPublisher> = { branch: 'main', tag: 'v*', environment: 'production' };
  for (const names of [[], ['branch'], ['tag'], ['environment'], ['branch', 'tag'], ['tag', 'environment']]) {
    const fields = { ...bare, ...Object.fromEntries(Object.entries(given).filter(([name]) => names.includes(name))) };
    const namesRef = names.includes('branch') || names.includes('tag');
    assert.deepEqual(refusals(fields), names.length === 0 ? ['/branch'] : [], names.join());
    assert.deepEqual(refusals({ ...fields, anyRef: false }), names.length === 0 ? ['/branch'] : [], names.join());
    assert.deepEqual(refusals({ ...fields, anyRef: true }), namesRef ? ['/anyRef'] : [], names.join());
  }
  assert.deepEqual(refusals({ ...bare, workflow: 'publish.yml', repositoryId: '42', events: ['push'] }), ['/branch']);
});

test('all invalid fields are listed at once', () => {
  assert.deepEqual(
    refusals({ ...GITHUB, repository: 'acme', workflow: 'publish', branch: 'a b', anyRef: true }).toSorted(),
    ['/anyRef', '/branch', '/repository', '/workflow'],
  );
});
