// Validates requests against the schemas of their routes.

import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';
import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';

/**
 * Compiles the schema of a body, a query, headers or path parameters. Everything but a body is text and is converted:
 * `"10"` becomes 10 for a number. The conversion is skipped for valid values, which are nearly all.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const compiled = Compile(schema);
  return (value: unknown) => {
    if (compiled.Check(value)) return { value };
    const converted = httpPart === 'body' ? value : Value.Convert(schema, value);
    return compiled.Check(converted)
      ? { value: converted }
      : { error: compiled.Errors(converted) as unknown as Error };
  };
};
