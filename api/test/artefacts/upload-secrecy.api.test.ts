import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { KeyScopes } from '../../src/access/index.ts';
import { someInThisRun } from '../support/combinations.ts';
import { readProblem } from '../support/problems.ts';
import {
  fieldPart,
  filePart,
  multipartBody,
  MULTIPART_TYPE,
  openConnection,
  requestHead,
} from '../support/raw-http.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { creationHeaders, endpointOf, patchUpload, tusRequest, urlOf } from '../uploads/tus-client.ts';
import { artefactPath, patchArtefact, uploadArtefact } from './documents.ts';
import { makeMirror, ORIGIN } from './mirrors.ts';

const TARBALL = await npmTarball({ name: 'p' });
const SECRET_PACKAGE = 'secret-package';
const FILE = Buffer.from('content');

/** `{id}` stands for the ID of the artefact. */
const SCOPES: KeyScopes[] = [
  {},
  { allowedName: '{id}' },
  { allowedName: 'elsewhere' },
  { allowedNamePrefix: '{id}' },
  { allowedNamePrefix: 'elsewhere' },
  { allowedPackageName: 'p' },
  { allowedPackageName: 'q' },
  { allowedPackageName: SECRET_PACKAGE },
  { allowedPackageName: 'p', allowedCategory: 'catalog' },
  { allowedPackageName: 'q', allowedCategory: 'catalog' },
  { allowedCategory: 'catalog' },
  { allowedCategory: 'tileset' },
  { allowedCategory: 'other' },
];

interface Attempt {
  format: 'npm' | 'file';
  category?: string;
}
const ATTEMPTS: Attempt[] = [
  { format: 'npm' },
  { format: 'npm', category: 'catalog' },
  { format: 'npm', category: 'unknown' },
  { format: 'file' },
  { format: 'file', category: 'tileset' },
];

/** Creates an artefact that no upload key may see, and of which some uploads would be accepted. */
const PRIVATE: Record<string, (server: TestServer, id: string) => Promise<unknown>> = {
  'of the same package': (server, id) =>
    uploadArtefact(server, id, { file: TARBALL, fields: { category: 'catalog' } }),
  'of another category': (server, id) =>
    uploadArtefact(server, id, { file: TARBALL, fields: { category: 'processing' } }),
  'of another package': async (server, id) =>
    uploadArtefact(server, id, { file: await npmTarball({ name: SECRET_PACKAGE }), fields: { category: 'catalog' } }),
  'with a file': (server, id) =>
    uploadArtefact(server, id, { format: 'file', file: FILE, fields: { category: 'tileset' } }),
  'shared with an account': async (server, id) => {
    await uploadArtefact(server, id, { file: await npmTarball({ name: SECRET_PACKAGE }) });
    await patchArtefact(server, id, { privateAccess: [{ type: 'organization', id: 'acme' }] });
  },
  'that is a mirror': async (server, id) => {
    await uploadArtefact(server, id, { file: TARBALL, fields: { category: 'catalog' } });
    await makeMirror(server, id);
  },
  'that is a mirror of a file': async (server, id) => {
    await uploadArtefact(server, id, { format: 'file', file: FILE, fields: { category: 'tileset' } });
    await makeMirror(server, id);
  },
};

/** What a client sees: each response, and whether the server asked for the body first. */
interface Step {
  status: number;
  code?: string;
  detail?: string;
  interim?: number[];
}

for (const dialect of DIALECTS) {
  describe(`an upload key on ${dialect} that may not see an artefact`, () => {
    let server: TestServer;
    const keys = new Map<string, string>();
    before(async () => {
      server = await startTestServer({ dialect });
    });
    after(() => server.close());

    async function keyFor(scopes: KeyScopes, id: string): Promise<Record<string, string>> {
      const fields = JSON.stringify(scopes).replaceAll('{id}', id);
      const key = keys.get(fields) ?? (await server.uploadKey(JSON.parse(fields) as Record<string, string>));
      keys.set(fields, key);
      return { 'x-api-key': key };
    }

    async function sendForm(id: string, attempt: Attempt, caller: Record<string, string>): Promise<Step[]> {
      const { format, category } = attempt;
      const body = multipartBody([
        ...(category === undefined ? [] : [fieldPart('category', category)]),
        filePart(format === 'npm' ? TARBALL : FILE),
      ]);
      const head = requestHead('POST', `/api/v1/artefacts/${format}/${encodeURIComponent(id)}`, {
        ...caller,
        'content-type': MULTIPART_TYPE,
        'content-length': body.length,
        'expect': '100-continue',
      });
      const connection = await openConnection(server.url);
      await connection.send(Buffer.concat([Buffer.from(head), body]));
      const answer = await connection.answer();
      connection.end();
      return [stepOf(answer.status, answer.body, id, answer.interim)];
    }

    async function sendTus(id: string, attempt: Attempt, caller: Record<string, string>): Promise<Step[]> {
      const { format, category } = attempt;
      const file = format === 'npm' ? TARBALL : FILE;
      const headers = creationHeaders(id, file.length, { format, ...(category && { fields: { category } }) });
      const created = await tusRequest('POST', endpointOf(server), { caller, headers });
      const creation = stepOf(created.status, await created.text(), id);
      if (created.status !== 201) return [creation];
      const finished = await patchUpload(urlOf(server, created), 0, file, caller);
      return [creation, stepOf(finished.status, await finished.text(), id)];
    }

    const isAccepted = (steps: Step[]) => steps.every(({ status }) => status < 300);
    /** Tries every attempt with every key; `restore` runs after each that was accepted. */
    async function tryAll(send: typeof sendForm, id: string, restore: () => Promise<unknown>) {
      const outcomes = new Map<string, Step[]>();
      for (const scopes of SCOPES) {
        for (const attempt of ATTEMPTS) {
          const steps = await send(id, attempt, await keyFor(scopes, id));
          outcomes.set(JSON.stringify({ scopes, attempt }), steps);
          if (isAccepted(steps)) await restore();
        }
      }
      return outcomes;
    }
    const remove = (id: string) => server.api('DELETE', artefactPath(id), { headers: server.internal });

    for (const [protocol, send] of Object.entries({ 'a form': sendForm, 'tus': sendTus })) {
      test(`learns by ${protocol} what it learns of an absent one, unless its scopes allow the upload`, async () => {
        const toAbsent = await tryAll(send, '@acme/absent', () => remove('@acme/absent'));
        assert.ok([...toAbsent.values()].some(isAccepted));
        const conflicts = new Set<string>();
        for (const [index, [state, create]] of someInThisRun(Object.entries(PRIVATE), 2).entries()) {
          const id = `@acme/${protocol.length}-${index}`;
          await create(server, id);
          const toPrivate = await tryAll(send, id, async () => {
            await remove(id);
            await create(server, id);
          });
          for (const [which, steps] of toPrivate) {
            const expected = toAbsent.get(which) ?? [];
            if (expected.at(-1)?.code === 'key_scope' && !isAccepted(steps))
              assert.deepEqual(steps, expected, `${state}: ${which}`);
            for (const secret of [SECRET_PACKAGE, ORIGIN].filter((it) => !which.includes(it)))
              assert.ok(!JSON.stringify(steps).includes(secret), `${state}: ${which}`);
            const { status, code, detail } = steps.at(-1)!;
            if (status === 409) conflicts.add(`${code}: ${detail}`);
          }
        }
        assert.deepEqual([conflicts.size, [...conflicts][0]?.split(':')[0]], [1, 'artefact_id_taken']);
      });
    }

    test('is told the reason of a conflict with a public one', async () => {
      const caller = { 'x-api-key': await server.uploadKey() };
      const reasons: Record<string, [code: string, reason: string]> = {
        'of another package': ['package_name_conflict', SECRET_PACKAGE],
        'with a file': ['format_conflict', 'the format file'],
        'that is a mirror': ['mirrored', ORIGIN],
      };
      for (const [index, [state, [code, reason]]] of Object.entries(reasons).entries()) {
        const id = `public-${index}`;
        await PRIVATE[state]!(server, id);
        await server.api('PATCH', artefactPath(id), { headers: server.internal, body: { public: true } });
        const { detail } = await readProblem(await server.upload(id, { file: TARBALL, headers: caller }), 409, code);
        assert.ok(detail.includes(reason), detail);
      }
    });
  });
}

/** Reads a response, with the ID in its texts replaced. */
function stepOf(status: number, body: string, id: string, interim?: number[]): Step {
  const { code, detail } = (JSON.parse(body || 'null') ?? {}) as Partial<Step>;
  return {
    status,
    ...(code !== undefined && { code }),
    ...(detail !== undefined && { detail: detail.replaceAll(id, '{id}') }),
    ...(interim && { interim }),
  };
}
