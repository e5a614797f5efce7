import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ResponseReader, type ResponseHead } from '../../src/remotes/http-response.ts';

interface Response { status: number; headers: Record<string, string | undefined>; mayStay: boolean; body: string; isWhole: boolean }

/** Reads a text in pieces of so many bytes. */
function read(text: string, pieceBytes = text.length, hasEnded = false): Response[] {
  const responses: Response[] = [];
  const reader = new ResponseReader({
    onHead: ({ status, headers, mayStay }: ResponseHead) => responses.push({ status, headers: { ...headers }, mayStay, body: '', isWhole: false }),
    onBytes: (bytes) => { responses.at(-1)!.body += Buffer.from(bytes).toString('latin1'); },
    onEnd: () => { responses.at(-1)!.isWhole = true; },
  });
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.read(bytes.subarray(at, at + pieceBytes));
  if (hasEnded) reader.end();
  return responses;
}

const SIZED = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nx-a:2 \r\n\r\nhello';
const CHUNKED_HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const CHUNKED = 'HTTP/1.1 206 Partial Content\r\nTransfer-Encoding: Chunked\r\n\r\n5;name="x"\r\nhello\r\nA \r\n, 56789012\r\n0\r\nX-Sum: 1\r\n\r\n';

describe('responses', () => {
  for (const pieceBytes of [1, 2, 7, 64, 1000]) {
    test(`are the same in pieces of ${pieceBytes} bytes`, () => {
      const [sized, chunked, empty, last, ...rest] = read(`${SIZED}${CHUNKED}HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n${SIZED}`, pieceBytes);
      assert.deepEqual(sized, { status: 200, headers: { 'content-length': '5', 'x-a': '1, 2' }, mayStay: true, body: 'hello', isWhole: true });
      assert.deepEqual(chunked, { status: 206, headers: { 'transfer-encoding': 'Chunked' }, mayStay: true, body: 'hello, 56789012', isWhole: true });
      assert.deepEqual([empty?.status, empty?.body, empty?.isWhole], [304, '', true]);
      assert.deepEqual([last, rest], [sized, []]);
    });
  }

  test('have no body where their status or their length says so', () => {
    for (const head of ['204 No Content\r\n', '304 Not Modified\r\nContent-Length: 9\r\n', '200 OK\r\nContent-Length: 0\r\n', '200 OK\r\nContent-Length: 0, 0\r\n']) {
      assert.deepEqual(read(`HTTP/1.1 ${head}\r\n`).map(({ isWhole, mayStay }) => [isWhole, mayStay]), [[true, true]], head);
    }
  });

  test('may be announced by interim ones', () => {
    assert.deepEqual(read(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${SIZED}`).map(({ status, body }) => [status, body]), [[200, 'hello']]);
  });

  test('may each be announced by eight interim ones, and have chunks with extensions, however many', () => {
    const interim = 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(8);
    assert.deepEqual(read(`${interim}${SIZED}${interim}${SIZED}`).map(({ body }) => body), ['hello', 'hello']);
    const [response] = read(`${CHUNKED_HEAD}${`1;${'x'.repeat(500)}\r\na\r\n`.repeat(1000)}0\r\nX-Sum: 1\r\n\r\n`, 100);
    assert.deepEqual([response?.body.length, response?.isWhole], [1000, true]);
  });

  test('without a length end with the connection', () => {
    const text = 'HTTP/1.1 200 OK\r\n\r\nhello';
    assert.deepEqual(read(text).map(({ body, isWhole, mayStay }) => [body, isWhole, mayStay]), [['hello', false, false]]);
    assert.deepEqual(read(text, 3, true).map(({ body, isWhole }) => [body, isWhole]), [['hello', true]]);
    assert.equal(read(SIZED.slice(0, -1), 9, true)[0]?.isWhole, false);
  });

  test('say whether their connection stays', () => {
    const mayStay = (head: string) => read(`${head}\r\nContent-Length: 0\r\n\r\n`)[0]?.mayStay;
    assert.equal(mayStay('HTTP/1.1 200 OK'), true);
    assert.equal(mayStay('HTTP/1.0 200 OK'), false);
    assert.equal(mayStay('HTTP/1.1 200 OK\r\nConnection: Close'), false);
    assert.equal(mayStay('HTTP/1.1 200 OK\r\nConnection: keep-alive'), true);
  });

  for (const [what, text, expected] of [
    ['another protocol', 'SSH-2.0-OpenSSH\r\n', /no status line/],
    ['a status that is no number', 'HTTP/1.1 2OO OK\r\n', /no status line/],
    ['an upgrade', 'HTTP/1.1 101 Switching Protocols\r\n\r\n', /another protocol/],
    ['a header without a name', 'HTTP/1.1 200 OK\r\n: x\r\n', /a header/],
    ['a folded header', 'HTTP/1.1 200 OK\r\nA: x\r\n y\r\n', /a header/],
    ['a control character in a header', 'HTTP/1.1 200 OK\r\nA: x\0\r\n', /a header/],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n', /a length/],
    ['a length that is no number', 'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n', /a length/],
    ['a length beside chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n', /no clear length/],
    ['an encoding that is unknown', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', /no clear length/],
    ['a chunk of a negative length', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n', /without a length/],
    ['a chunk that is longer than it says', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n', /longer than it says/],
    ['a head without an end', `HTTP/1.1 200 OK\r\n${'A: x\r\n'.repeat(20_000)}`, /bytes of headers/],
    ['a line without an end', `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(100_000)}`, /bytes of headers/],
    ['interim responses with too long a head together', `HTTP/1.1 103 Hints\r\nA: ${'x'.repeat(40_000)}\r\n\r\n`.repeat(2), /bytes of headers/],
    ['more than eight interim responses', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(9), /more than 8 interim/],
    ['a chunk size without an end', `${CHUNKED_HEAD}${'0'.repeat(2000)}`, /bytes of a chunk size/],
    ['a chunk extension without an end', `${CHUNKED_HEAD}5;${'x'.repeat(2000)}`, /bytes of a chunk size/],
    ['a chunk whose end is none', `${CHUNKED_HEAD}1\r\na${'x'.repeat(2000)}`, /bytes of a chunk size/],
    ['trailers without an end', `${CHUNKED.slice(0, -2)}${'A: x\r\n'.repeat(20_000)}`, /bytes of trailers/],
    ['a trailer without an end', `${CHUNKED.slice(0, -2)}A: ${'x'.repeat(20_000)}`, /bytes of trailers/],
  ] as const) {
    for (const pieceBytes of [1, 10_000]) test(`are refused with ${what}, in pieces of ${pieceBytes} bytes`, () => { assert.throws(() => read(text, pieceBytes), expected); });
  }
});
