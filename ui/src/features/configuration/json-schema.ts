/** A field of a JSON schema as the preview shows it. Schemas are untrusted, so every part of them is checked. */
export interface SchemaField {
  key: string;
  title: string;
  description?: string;
  kind: 'text' | 'number' | 'boolean' | 'choice' | 'group' | 'list';
  choices: string[];
  value?: string | number | boolean;
  isRequired: boolean;
  fields: SchemaField[];
}

/** Maximum depth of a preview: some schemas are recursive. */
const MAX_DEPTH = 6;

/** The fields of an object schema, including those of `allOf`, `oneOf` and `anyOf`. */
export function fieldsOf(schema: unknown, depth = 0): SchemaField[] {
  if (!isRecord(schema) || depth > MAX_DEPTH) return [];
  const required = Array.isArray(schema.required) ? schema.required : [];
  const own = isRecord(schema.properties)
    ? Object.entries(schema.properties).map(([key, property]) => fieldOf(key, property, required.includes(key), depth))
    : [];
  const parts = ['allOf', 'oneOf', 'anyOf'].flatMap((name) =>
    Array.isArray(schema[name]) ? (schema[name] as unknown[]) : [],
  );
  return [...own, ...parts.flatMap((part) => fieldsOf(part, depth + 1))];
}

function fieldOf(key: string, property: unknown, isRequired: boolean, depth: number): SchemaField {
  const schema = isRecord(property) ? property : {};
  const choices = choicesOf(schema);
  const fields = schema.type === 'array' ? fieldsOf(schema.items, depth + 1) : fieldsOf(schema, depth + 1);
  const value = schema.const ?? schema.default;
  return {
    key,
    isRequired,
    choices,
    fields,
    title: text(schema.title) ?? key,
    description: text(schema.description),
    kind:
      schema.type === 'array'
        ? 'list'
        : fields.length > 0
          ? 'group'
          : choices.length > 0
            ? 'choice'
            : schema.type === 'boolean'
              ? 'boolean'
              : schema.type === 'number' || schema.type === 'integer'
                ? 'number'
                : 'text',
    value: ['string', 'number', 'boolean'].includes(typeof value) ? (value as string) : undefined,
  };
}

function choicesOf(schema: Record<string, unknown>): string[] {
  if (Array.isArray(schema.enum)) return schema.enum.map(String);
  const options = Array.isArray(schema.oneOf)
    ? schema.oneOf.filter(isRecord).filter((option) => 'const' in option)
    : [];
  return options.map((option) => text(option.title) ?? String(option.const));
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
