import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { readWritingOperations, type WritingOperation } from './writing-operations.ts';

interface Operation extends WritingOperation {
  takesJson: boolean;
}

const KIB = 1024;
const JSON_TYPE = 'application/json';
/** Routes for callers whom nothing identifies yet. */
const ANONYMOUS = ['POST /api/v1/upload-tokens', 'POST /api/v1/invitations/find', 'POST /api/v1/invitations/accept'];
/** Routes whose bodies contain lists of patterns: 256 KiB. Others: 32 KiB. */
const LARGE = ['POST /api/v1/remote-registries', 'PATCH /api/v1/remote-registries/{id}'];
/** Descriptions of 20,000 characters in two languages, and access lists: 1 MiB, from curators only. */
const LARGEST = ['PATCH /api/v1/artefacts/{id}'];
const isOpen = ({ route }: Operation) => ANONYMOUS.includes(route) || route.includes(' /api/auth/');
const limitOf = ({ route }: Operation) => (LARGEST.includes(route) ? 1024 : LARGE.includes(route) ? 256 : 32) * KIB;

/** JSON of exactly this size that no route accepts as a body. */
const jsonOf = (sizeBytes: number) => '{"nonsense":[]}'.padEnd(sizeBytes);

describe('the body of a request to any route that writes', () => {
  let server: TestServer;
  let superadmin: Record<string, string>;
  let operations: Operation[];
  before(async () => {
    server = await startTestServer();
    superadmin = await server.superadmin();
    operations = await readOperations(server);
    assert.ok(operations.length > 40);
  });
  after(() => server.close());

  const send = ({ method, path }: Operation, body: string, headers: Record<string, string>) =>
    fetch(`${server.url}${path}`, { method, headers: { 'content-type': JSON_TYPE, ...headers }, body });

  test('is not read before an anonymous caller is refused', async () => {
    for (const operation of operations.filter((it) => !isOpen(it))) {
      const connection = await openConnection(server.url);
      const headers = { 'content-type': JSON_TYPE, 'content-length': 1024 * KIB };
      await connection.send(`${requestHead(operation.method, operation.path, headers)}{"a":`);
      const { status, body } = await connection.answer();
      assert.deepEqual(
        [status, (JSON.parse(body) as { code: string }).code],
        [401, 'unauthenticated'],
        operation.route,
      );
      connection.end();
    }
  });

  test('does not matter to an anonymous caller, whatever it contains', async () => {
    const bodies = ['{', 'null', jsonOf(15), '['.repeat(40 * KIB)];
    for (const operation of operations.filter((it) => !isOpen(it)))
      for (const body of bodies) await readProblem(await send(operation, body, {}), 401, 'unauthenticated');
  });

  test('has at most 32 KiB, and more where long texts or lists of patterns or accounts come', async () => {
    const ofJson = operations.filter(({ takesJson }) => takesJson);
    assert.ok(ofJson.length > 20);
    for (const route of [...ANONYMOUS, ...LARGE, ...LARGEST])
      assert.ok(
        ofJson.some((it) => it.route === route),
        route,
      );
    for (const operation of ofJson) {
      const headers = isOpen(operation) ? {} : superadmin;
      await readProblem(await send(operation, jsonOf(limitOf(operation) + 1), headers), 413, 'body_too_large');
      const within = await send(operation, jsonOf(limitOf(operation)), headers);
      const text = await within.text();
      assert.ok(within.status !== 413 && within.status < 500, `${operation.route}: ${text}`);
      assert.doesNotMatch(text, /body_/, operation.route);
    }
  });

  test('is counted as it arrives if its length is not announced', async () => {
    const [operation] = operations.filter(({ takesJson }) => takesJson);
    assert.ok(operation);
    const connection = await openConnection(server.url);
    const headers = { ...superadmin, 'content-type': JSON_TYPE, 'transfer-encoding': 'chunked' };
    await connection.send(requestHead(operation.method, operation.path, headers));
    const chunk = jsonOf(33 * KIB);
    await connection.send(`${chunk.length.toString(16)}\r\n${chunk}\r\n`);
    const { status, body } = await connection.answer();
    assert.deepEqual([status, (JSON.parse(body) as { code: string }).code], [413, 'body_too_large']);
    connection.end();
  });
});

async function readOperations(server: TestServer): Promise<Operation[]> {
  const operations = await readWritingOperations(server, 'present');
  return operations.map((operation) => ({ ...operation, takesJson: operation.types.includes(JSON_TYPE) }));
}
