// Requests without a body that name a content type, as many clients do with every POST, to every route that writes.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { readWritingOperations, type WritingOperation } from './writing-operations.ts';

/** `sign-in`: better-auth's own routes, which would end the session. */
type Body = 'none' | 'optional' | 'json' | 'form' | 'bytes' | 'sign-in';
interface Operation extends WritingOperation {
  body: Body;
}

const CONTENT_TYPES = [
  'application/x-www-form-urlencoded',
  'application/json',
  'application/json; charset=utf-8',
  'multipart/form-data; boundary=x',
  'multipart/form-data',
  'application/octet-stream',
  'text/plain',
  'nonsense',
];
const LENGTHS = [{ 'content-length': 0 }, {}];
/** Their body is JSON, which may be left out. */
const OPTIONAL = ['POST /api/v1/api-keys/{id}/rotate', 'POST /api/v1/storage/sweep', 'POST /api/v1/storage/scrub'];
/** Of a route that refuses something else, such as an object that does not exist. */
const ABOUT_THE_BODY = ['media_type_unsupported', 'body_invalid', 'multipart_invalid', 'request_invalid'];

describe('a request without a body', () => {
  let server: TestServer;
  let superadmin: Record<string, string>;
  let operations: Operation[];
  before(async () => {
    server = await startTestServer();
    superadmin = await server.superadmin();
    operations = await readOperations(server);
    for (const body of ['none', 'optional', 'json', 'form', 'bytes'])
      assert.ok(operations.some((operation) => operation.body === body, body));
  });
  after(() => server.close());

  async function send({ method, path }: Operation, headers: Record<string, string | number>): Promise<string> {
    const connection = await openConnection(server.url);
    await connection.send(requestHead(method, path, headers));
    const { status, body } = await connection.answer();
    connection.end();
    const code = /^{.*"code":"(\w+)"/.exec(body)?.[1] ?? '';
    return `${status} ${code}`.trim();
  }

  for (const length of LENGTHS)
    test(`is served, whatever its content type, ${JSON.stringify(length)}`, async () => {
      for (const operation of operations) {
        for (const type of CONTENT_TYPES) {
          const identity = operation.body === 'sign-in' ? {} : superadmin;
          const headers = { ...identity, ...length, 'content-type': type };
          const answer = await send(operation, headers);
          const what = `${operation.route}, ${type}: ${answer}`;
          const [status = '', code = ''] = answer.split(' ');
          assert.ok(Number(status) < 500 && status !== '415', what);
          if (operation.body === 'json') assert.equal(answer, '400 body_invalid', what);
          if (operation.body === 'form')
            assert.match(answer, /^(400 multipart_invalid|404 artefact_not_found)$/, what);
          if (operation.body === 'none' || operation.body === 'optional')
            assert.ok(!ABOUT_THE_BODY.includes(code), what);
        }
      }
    });
});

async function readOperations(server: TestServer): Promise<Operation[]> {
  const operations = await readWritingOperations(server, 'absent');
  return operations.map((operation) => ({ ...operation, body: bodyOf(operation.route, operation.types) }));
}

function bodyOf(route: string, types: string[]): Body {
  if (route.includes(' /api/auth/')) return 'sign-in';
  if (OPTIONAL.includes(route)) return 'optional';
  if (types.includes('application/json')) return 'json';
  if (types.includes('multipart/form-data')) return 'form';
  return types.length > 0 ? 'bytes' : 'none';
}
