// Checks requests against the schemas of their routes.

import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';
import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';

/**
 * Compiles the schema of a body, a query, headers or the parameters of a path. What is not JSON is text at first:
 * `"10"` becomes 10 where a number is asked for. Values that fit as they are, nearly all, are not looked at for that.
 * /
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
