import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { Type } from 'typebox';
import { BerthError, defineError } from '../../src/errors.ts';
import { toBerthError } from '../../src/http/problem.ts';
import { startTestApp } from './test-app.ts';

const SampleError = defineError('test_sample', 409, 'A sample');
const AwayError = defineError('test_away', 503, 'Away');

const PROBLEM_TYPE = /^application\/problem\+json(;|$)/;

interface Problem {
  status: number;
  title: string;
  detail: string;
  code: string;
  requestId: string;
  errors?: { path: string; message: string }[];
}

async function startApp(t: TestContext) {
  const started = await startTestApp(t, {
    routes(app) {
      app.get('/sample', async () => {
        throw new SampleError('Do something else.', {
          headers: { 'retry-after': '7' },
          errors: [{ path: '/a', message: 'is odd' }],
        });
      });
      app.get('/away', async () => {
        throw new AwayError('Try again.', { cause: new Error('connect ECONNREFUSED 10.1.2.3') });
      });
      app.get('/broken', async () => {
        throw Object.assign(
          new Error('select * from secrets; password=hunter2', { cause: new Error('/var/lib/berth') }),
          { code: 'EBROKEN', statusCode: 500 },
        );
      });
      app.get(
        '/items/:id',
        {
          schema: {
            params: Type.Object({ id: Type.Integer() }),
            querystring: Type.Object(
              { size: Type.Optional(Type.Integer({ minimum: 0 })) },
              { additionalProperties: false },
            ),
          },
        },
        async (request) => request.query,
      );
      app.post(
        '/items',
        {
          schema: {
            body: Type.Object(
              { name: Type.String(), tags: Type.Array(Type.String()) },
              { additionalProperties: false },
            ),
          },
        },
        async () => 'ok',
      );
    },
  });
  const ask = async (path: string, options?: RequestInit) => {
    const response = await fetch(`${started.url}${path}`, options);
    return { response, problem: (await response.json()) as Problem };
  };
  const post = (body: string, contentType = 'application/json') =>
    ask('/items', { method: 'POST', body, headers: { 'content-type': contentType } });
  return { ...started, ask, post };
}

test('an error becomes a problem document with its code, detail, fields and headers', async (t) => {
  const { ask } = await startApp(t);
  const { response, problem } = await ask('/sample');
  assert.match(response.headers.get('content-type') ?? '', PROBLEM_TYPE);
  assert.equal(response.headers.get('cache-control'), 'no-store');
  assert.equal(response.headers.get('retry-after'), '7');
  assert.equal(response.headers.get('x-request-id'), problem.requestId);
  const { requestId, ...rest } = problem;
  assert.match(requestId, /^[0-9a-f-]{36}$/);
  assert.deepEqual(
    [response.status, rest],
    [
      409,
      {
        status: 409,
        title: 'A sample',
        detail: 'Do something else.',
        code: 'test_sample',
        errors: [{ path: '/a', message: 'is odd' }],
      },
    ],
  );
});

test('an unexpected error is hidden from the client and logged completely', async (t) => {
  const { ask, logs } = await startApp(t);
  const { response, problem } = await ask('/broken');
  assert.deepEqual([response.status, problem.code, problem.title], [500, 'internal_error', 'Internal error']);
  assert.doesNotMatch(JSON.stringify(problem), /select|hunter2|EBROKEN|\/var\/lib|at /);
  const line = logs.find(({ level }) => level === 50);
  assert.equal(line?.['requestId'], problem.requestId);
  assert.match(JSON.stringify(line), /hunter2.*\/var\/lib\/berth/);
});

test('a server error is logged with its cause, a client error is not logged', async (t) => {
  const { ask, logs } = await startApp(t);
  const { problem } = await ask('/away');
  assert.doesNotMatch(JSON.stringify(problem), /10\.1\.2\.3/);
  assert.match(JSON.stringify(logs.find(({ level }) => level === 50)), /ECONNREFUSED 10\.1\.2\.3/);
  logs.splice(0);
  await ask('/sample');
  assert.ok(logs.every(({ level }) => level === 30));
});

test('the problem of an unknown path names the path without its query', async (t) => {
  const { ask } = await startApp(t);
  for (const method of ['GET', 'POST', 'DELETE', 'PUT', 'PATCH']) {
    const { response, problem } = await ask('/nowhere/at%20all?key=hunter2', { method });
    assert.deepEqual([response.status, problem.code], [404, 'route_not_found'], method);
    assert.match(problem.detail, /\/nowhere/);
    assert.doesNotMatch(problem.detail, /hunter2/);
  }
});

test('an unknown path gets route_not_found whatever its body', async (t) => {
  const { ask } = await startApp(t);
  for (const type of ['multipart/form-data; boundary=x', 'text/plain', 'application/json']) {
    const { problem } = await ask('/nowhere', { method: 'POST', headers: { 'content-type': type }, body: '{' });
    assert.equal(problem.code, 'route_not_found', type);
  }
});

test('a path that cannot be decoded or is too long gets a problem document', async (t) => {
  const { ask } = await startApp(t);
  for (const path of ['/items/%', '/items/%E0%A4%A', '/%c0%ae', `/items/${'1'.repeat(1100)}`]) {
    const { response, problem } = await ask(path);
    assert.deepEqual([response.status, problem.code], [400, 'request_invalid'], path);
    assert.match(response.headers.get('content-type') ?? '', PROBLEM_TYPE);
    assert.equal(response.headers.get('x-request-id'), problem.requestId, path);
  }
});

describe('an invalid request', () => {
  test('gets a problem with each invalid field', async (t) => {
    const { post, ask } = await startApp(t);
    const { response, problem } = await post('{"name":7,"tags":["a",{}]}');
    assert.deepEqual([response.status, problem.code], [400, 'request_invalid']);
    assert.deepEqual(
      problem.errors?.map(({ path }) => path),
      ['/name', '/tags/1'],
    );
    const query = await ask('/items/1?size=-1');
    assert.deepEqual(
      [query.problem.code, query.problem.errors?.map(({ path }) => path)],
      ['request_invalid', ['/size']],
    );
    assert.equal((await ask('/items/x')).problem.code, 'request_invalid');
  });

  test('gets a problem with missing and unknown fields', async (t) => {
    const { post, ask } = await startApp(t);
    assert.match(JSON.stringify((await post('{}')).problem.errors), /name.*tags/);
    assert.match(JSON.stringify((await post('{"name":"a","tags":[],"colour":1}')).problem.errors), /colour/);
    assert.match(JSON.stringify((await ask('/items/1?colour=red')).problem.errors), /colour/);
  });

  for (const [why, body, contentType, status, code] of [
    ['malformed', '{"name":', 'application/json', 400, 'body_invalid'],
    ['empty', '', 'application/json', 400, 'body_invalid'],
    ['a prototype pollution', '{"__proto__":{"x":1}}', 'application/json', 400, 'body_invalid'],
    ['of another type', '<a/>', 'application/xml', 415, 'media_type_unsupported'],
    ['a form', 'name=a', 'application/x-www-form-urlencoded', 415, 'media_type_unsupported'],
    ['over 32 KiB', JSON.stringify({ name: 'x'.repeat(32 * 1024) }), 'application/json', 413, 'body_too_large'],
  ] as const) {
    test(`gets ${code} if its body is ${why}`, async (t) => {
      const { post } = await startApp(t);
      const { response, problem } = await post(body, contentType);
      assert.deepEqual([response.status, problem.code], [status, code]);
    });
  }
});

test('every thrown value is converted to an error for clients', () => {
  const error = new SampleError('Detail.');
  assert.equal(toBerthError(error), error);
  for (const thrown of [
    'text',
    undefined,
    null,
    7,
    {},
    new Error('x'),
    Object.assign(new Error('x'), { statusCode: 500 }),
    Object.assign(new Error('x'), { statusCode: 302 }),
  ]) {
    const converted = toBerthError(thrown);
    assert.ok(converted instanceof BerthError);
    assert.equal(converted.code, 'internal_error');
  }
  assert.equal(toBerthError(Object.assign(new Error('secret'), { statusCode: 431 })).code, 'request_invalid');
});

test('an error code cannot be defined twice', () => {
  assert.throws(() => defineError('test_sample', 400, 'Again'), /test_sample/);
});
