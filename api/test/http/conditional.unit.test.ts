import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { answerTo, httpDate, isNotModified, type Representation } from '../../src/http/conditional.ts';

const SECONDS = Date.parse('1994-11-06T08:49:37Z') / 1000;
const IT: Representation = { etag: '"sha256:abc"', lastModifiedSeconds: SECONDS, sizeBytes: 1000 };
const DATE = 'Sun, 06 Nov 1994 08:49:37 GMT';
const BEFORE = 'Sun, 06 Nov 1994 08:49:36 GMT';
const AFTER = 'Sun, 06 Nov 1994 08:49:38 GMT';

const range = (start: number, end: number) => ({ status: 206, range: { start, end } });
const statusFor = (headers: Record<string, string>, method = 'GET', it = IT) => answerTo(method, headers, it).status;

describe('conditions (RFC 9110, 13)', () => {
  for (const [ifNoneMatch, status] of [
    ['"sha256:abc"', 304],
    ['W/"sha256:abc"', 304],
    ['*', 304],
    [' * ', 304],
    ['"x", "sha256:abc"', 304],
    ['"x",W/"sha256:abc" , "y"', 304],
    ['"x"', 200],
    ['sha256:abc', 200],
    ['""', 200],
    ['', 200],
    ['"sha256:ABC"', 200],
    ['w/"sha256:abc"', 200],
  ] as const) {
    test(`If-None-Match: ${ifNoneMatch} is answered with ${status}`, () => {
      assert.equal(statusFor({ 'if-none-match': ifNoneMatch }), status);
    });
  }

  for (const [ifModifiedSince, status] of [
    [DATE, 304],
    [AFTER, 304],
    [BEFORE, 200],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 304],
    ['Sun Nov  6 08:49:37 1994', 304],
    ['Sun Nov  6 08:49:36 1994', 200],
    ['', 200],
    ['never', 200],
    ['9999', 200],
    ['2030-01-01', 200],
    ['2030-01-01T00:00:00Z', 200],
    [`${AFTER}, ${AFTER}`, 200],
    ['Sun, 06 Nov 2094 08:49:37 +0000', 200],
  ] as const) {
    test(`If-Modified-Since: ${ifModifiedSince} is answered with ${status}`, () => {
      assert.equal(statusFor({ 'if-modified-since': ifModifiedSince }), status);
    });
  }

  test('If-Modified-Since is ignored if there is If-None-Match', () => {
    assert.equal(statusFor({ 'if-none-match': '"x"', 'if-modified-since': AFTER }), 200);
    assert.equal(statusFor({ 'if-none-match': '"sha256:abc"', 'if-modified-since': BEFORE }), 304);
  });

  test('If-Modified-Since is ignored for a representation without a date', () => {
    assert.equal(isNotModified({ 'if-modified-since': AFTER }, { etag: '"x"' }), false);
    assert.equal(isNotModified({ 'if-none-match': '"x"' }, { etag: '"x"' }), true);
  });

  test('conditions take precedence over ranges, and apply to HEAD', () => {
    assert.equal(statusFor({ 'if-none-match': '"sha256:abc"', 'range': 'bytes=0-0' }), 304);
    assert.equal(statusFor({ 'if-none-match': '"sha256:abc"', 'range': 'bytes=5000-' }), 304);
    assert.equal(statusFor({ 'if-none-match': '"sha256:abc"' }, 'HEAD'), 304);
    assert.equal(statusFor({ 'if-modified-since': DATE }, 'HEAD'), 304);
  });
});

describe('ranges (RFC 9110, 14)', () => {
  for (const [header, expected] of [
    ['bytes=0-0', range(0, 0)],
    ['bytes=0-', range(0, 999)],
    ['bytes=0-999', range(0, 999)],
    ['bytes=500-599', range(500, 599)],
    ['bytes=999-', range(999, 999)],
    ['bytes=10-5000', range(10, 999)],
    ['bytes=10-99999999999999999999999', range(10, 999)],
    ['bytes=-1', range(999, 999)],
    ['bytes=-1000', range(0, 999)],
    ['bytes=-5000', range(0, 999)],
    ['Bytes=0-0', range(0, 0)],
    ['bytes = 0 - 0 ', range(0, 0)],
    ['bytes=1000-', { status: 416 }],
    ['bytes=1000-1001', { status: 416 }],
    ['bytes=99999999999999999999999-', { status: 416 }],
    ['bytes=-0', { status: 416 }],
    ['bytes=5-4', { status: 200 }],
    ['bytes=-', { status: 200 }],
    ['bytes=', { status: 200 }],
    ['bytes=a-b', { status: 200 }],
    ['bytes=0x0-0x5', { status: 200 }],
    ['bytes=1.5-2', { status: 200 }],
    ['bytes=0-0,5-9', { status: 200 }],
    ['items=0-5', { status: 200 }],
    ['', { status: 200 }],
    ['bytes', { status: 200 }],
    ['bytes=--5', { status: 200 }],
  ] as const) {
    test(`Range: ${header} is answered with ${JSON.stringify(expected)}`, () => {
      assert.deepEqual(answerTo('GET', { range: header }, IT), expected);
    });
  }

  test('no range of an empty representation can be satisfied', () => {
    const empty = { ...IT, sizeBytes: 0 };
    for (const header of ['bytes=0-', 'bytes=0-0', 'bytes=-1'])
      assert.equal(statusFor({ range: header }, 'GET', empty), 416);
    assert.equal(statusFor({}, 'GET', empty), 200);
  });

  test('a range applies only to GET', () => {
    assert.equal(statusFor({ range: 'bytes=0-0' }, 'HEAD'), 200);
    assert.equal(statusFor({ range: 'bytes=5000-' }, 'HEAD'), 200);
  });

  for (const [ifRange, status] of [
    ['"sha256:abc"', 206],
    [DATE, 206],
    ['Sun Nov  6 08:49:37 1994', 206],
    ['W/"sha256:abc"', 200],
    ['"x"', 200],
    ['*', 200],
    ['sha256:abc', 200],
    [BEFORE, 200],
    [AFTER, 200],
    ['', 200],
    ['784111777', 200],
  ] as const) {
    test(`If-Range: ${ifRange} is answered with ${status}`, () => {
      assert.equal(statusFor({ 'if-range': ifRange, 'range': 'bytes=0-0' }), status);
    });
  }

  test('an unsatisfiable range is ignored as well if If-Range does not match', () => {
    assert.equal(statusFor({ 'if-range': '"x"', 'range': 'bytes=5000-' }), 200);
  });
});

test('an HTTP date has whole seconds in GMT', () => {
  assert.equal(httpDate(SECONDS), DATE);
  assert.equal(httpDate(0), 'Thu, 01 Jan 1970 00:00:00 GMT');
});
