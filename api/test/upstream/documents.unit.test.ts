import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fingerprintOf, readUpstreamArtefact } from '../../src/upstream/index.ts';

const RULES = { categories: ['processing', 'other'] };

function nested(depth: number): unknown {
  return JSON.parse('{"a":'.repeat(depth) + '1' + '}'.repeat(depth));
}

test('a document with a schema nested too deeply to serialise is rejected, and one at the limit accepted', () => {
  const document = { _id: 'a', format: 'file', category: 'other', fileName: 'data.bin', size: 1 };
  for (const field of ['processingConfigSchema', 'applicationConfigSchema']) {
    assert.match(fingerprintOf(readUpstreamArtefact({ ...document, [field]: nested(100) }, RULES)), /^[\w-]{43}$/);
    for (const depth of [101, 20_000]) {
      assert.throws(() => readUpstreamArtefact({ ...document, [field]: nested(depth) }, RULES), {
        code: 'remote_answer_invalid',
        message: /nested at most 100 levels deep/,
      });
    }
  }
});
