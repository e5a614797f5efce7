// Validates requests against the schemas of their routes.

import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';
import type { FastifySchemaCompiler } from 'fastify';
import { IsObject, type TProperties, type TSchema } from 'typebox';
import { BodyInvalidError } from './errors.ts';
import { queryValue } from './page-query.ts';

/**
 * Compiles the schema of a body, a query, headers or path parameters. Everything but a body is text and is converted:
 * `"10"` becomes 10 for a number. The conversion is skipped for valid values, which are nearly all. Empty values of a
 * query count as absent: forms and scripts send them for whatever is not filled in.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const compiled = Compile(schema);
  const properties = IsObject(schema) ? schema.properties : {};
  return (received: unknown) => {
    const value = httpPart === 'querystring' ? withoutAbsent(properties, received) : received;
    if (compiled.Check(value)) return { value };
    // Fastify passes null for a body that is missing.
    if (httpPart === 'body' && value === null)
      return { error: new BodyInvalidError('The body is empty or null: send a JSON document.') };
    const converted = httpPart === 'body' ? value : Value.Convert(schema, value);
    return compiled.Check(converted)
      ? { value: converted }
      : { error: compiled.Errors(converted) as unknown as Error };
  };
};

function withoutAbsent(properties: TProperties, query: unknown): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(query as Record<string, unknown>)
      .map(([name, value]) => [name, queryValue(properties[name], value)] as const)
      .filter(([, value]) => value !== undefined),
  );
}
