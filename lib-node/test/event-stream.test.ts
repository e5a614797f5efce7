import assert from 'node:assert/strict';
import test from 'node:test';
import { createEventStreamParser, MAX_MESSAGE_LENGTH } from '../dist/event-stream.js';
import type { StreamMessage } from '../dist/event-stream.js';

const NONE: StreamMessage = { id: undefined, data: undefined, retryMs: undefined };
const TEXT = [
  ': a comment',
  '',
  'retry: 2000',
  'retry: soon',
  '',
  ': heartbeat 1',
  'id: 1',
  '',
  ': heartbeat',
  '',
  'id:2',
  'event: news',
  'data: {"a": ":"}',
  'data:  indented',
  'data',
  'unknown: é',
  '',
  '',
  'data: unfinished',
].join('\n');
const MESSAGES: StreamMessage[] = [
  NONE,
  { ...NONE, retryMs: 2000 },
  { ...NONE, id: '1' },
  NONE,
  { ...NONE, id: '2', data: '{"a": ":"}\n indented\n' },
];

for (const [name, end] of [
  ['LF', '\n'],
  ['CR', '\r'],
  ['CRLF', '\r\n'],
] satisfies [string, string][])
  test(`messages with ${name} at the end of lines are read, wherever the text is cut`, () => {
    const text = TEXT.replaceAll('\n', end);
    for (let first = 0; first <= text.length; first += 1) {
      for (let second = first; second <= text.length; second += 7) {
        const parser = createEventStreamParser();
        const parts = [text.slice(0, first), text.slice(first, second), '', text.slice(second)];
        assert.deepEqual(parts.flatMap(parser.feed), MESSAGES, `cut at ${first} and ${second}`);
      }
    }
  });

test('a message may be as long as the limit, and no longer', () => {
  const parser = createEventStreamParser();
  const line = `data: ${'x'.repeat(MAX_MESSAGE_LENGTH - 6)}`;
  assert.equal(parser.feed(line).length, 0);
  assert.equal(parser.feed('\n\n')[0]?.data?.length, MAX_MESSAGE_LENGTH - 6);
  assert.throws(() => createEventStreamParser().feed(`${line}xx`), RangeError);
  const rest = createEventStreamParser();
  assert.throws(() => {
    for (;;) rest.feed('data: x\n');
  }, RangeError);
});

test('a long line in many parts takes time in proportion to its length', () => {
  const parser = createEventStreamParser();
  for (let index = 0; index < MAX_MESSAGE_LENGTH - 10; index += 1) parser.feed('x');
  assert.deepEqual(parser.feed('\n\n'), []);
});
