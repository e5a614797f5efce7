import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Type } from 'typebox';
import { compileValidator } from '../../src/http/validation.ts';

const schema = Type.Object(
  {
    q: Type.Optional(Type.String()),
    size: Type.Optional(Type.Integer({ minimum: 0 })),
    all: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
const validator = (httpPart: string) => compileValidator({ schema, method: 'GET', url: '/', httpPart });

describe('a request value', () => {
  test('that is valid stays unchanged', () => {
    const value = { q: '10', size: 10 };
    assert.deepEqual(validator('querystring')(value), { value });
  });

  test('in a query is converted from text', () => {
    assert.deepEqual(validator('querystring')({ q: '10', size: '10', all: 'true' }), {
      value: { q: '10', size: 10, all: true },
    });
  });

  test('in a body is never converted', () => {
    assert.ok(Object.hasOwn(validator('body')({ size: '10' }) as object, 'error'));
  });

  test('that is invalid is rejected with the errors', () => {
    const result = validator('querystring')({ size: 'ten' }) as { error: { instancePath: string }[] };
    assert.deepEqual(
      result.error.map(({ instancePath }) => instancePath),
      ['/size'],
    );
  });
});
