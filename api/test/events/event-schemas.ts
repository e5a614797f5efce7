// Checks events against the OpenAPI document of the server that sent them.

import assert from 'node:assert/strict';
import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import type { TestClient } from '../support/test-client.ts';
import type { CloudEvent } from './event-readers.ts';

interface Schema {
  properties: { type: { const?: string; enum?: string[] }; data: { properties: object } };
}

/** Each event has the schema of its type, and no data beside it. */
export async function checkEvents(server: Pick<TestClient, 'api'>, events: readonly CloudEvent[]): Promise<void> {
  const schemas = await readSchemas(server);
  for (const event of events) {
    const schema = schemas.get(event.type);
    assert.ok(schema, event.type);
    assert.ok(Value.Check(schema as unknown as TSchema, event), JSON.stringify(event));
    const unknown = Object.keys(event.data).filter((name) => !(name in schema.properties.data.properties));
    assert.deepEqual(unknown, [], event.type);
  }
}

/** Schemas of all types of events. */
export async function readSchemas(server: Pick<TestClient, 'api'>): Promise<Map<string, Schema>> {
  const { paths } = (await (await server.api('GET', '/openapi.json')).json()) as {
    paths: Record<string, { get: { responses: Record<string, { content: Record<string, { schema: unknown }> }> } }>;
  };
  const page = paths['/api/v1/events']?.get.responses['200']?.content['application/json']?.schema as {
    properties: { results: { items: { anyOf: Schema[] } } };
  };
  return new Map(
    page.properties.results.items.anyOf.map((schema) => {
      const { const: name, enum: [only] = [] } = schema.properties.type;
      return [name ?? only ?? '', schema];
    }),
  );
}
