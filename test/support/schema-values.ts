/** Values for JSON Schemas, as fast-check makes them: what fits, and what is hostile. Knows what the OpenAPI document uses. */
import fc from 'fast-check';

interface Schema {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  allOf?: Schema[];
  pattern?: string;
  format?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  maxProperties?: number;
}

const LENGTH_MAX = 300;
const DEPTH_MAX = 6;

/** `definitions` are what `#/components/schemas/…` refers to. */
export function fitting(
  schema: object,
  definitions: Record<string, object>,
  depth = 0,
): fc.Arbitrary<unknown> {
  const { $ref, type, anyOf, ...of } = schema as Schema;
  const inner = (each: object): fc.Arbitrary<unknown> => fitting(each, definitions, depth + 1);
  if ($ref !== undefined) return inner(definitions[$ref.split('/').at(-1) ?? ''] ?? {});
  if (of.const !== undefined) return fc.constant(of.const);
  if (of.enum !== undefined) return fc.constantFrom(...of.enum);
  if (anyOf !== undefined) return fc.oneof(...anyOf.map(inner));
  switch (type) {
    case 'string':
      return text(of);
    case 'integer':
      return fc.integer({
        min: Math.max(of.minimum ?? -1000, Number.MIN_SAFE_INTEGER),
        max: Math.min(of.maximum ?? 100_000, 2 ** 31),
      });
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(inner(of.items ?? {}), {
        minLength: of.minItems ?? 0,
        maxLength: Math.min(of.maxItems ?? 5, 5),
      });
    case 'object':
      return object(of, inner, depth);
    default:
      return depth > DEPTH_MAX ? fc.constant(null) : fc.jsonValue({ maxDepth: 3 });
  }
}

function text({ pattern, format, minLength = 0, maxLength = LENGTH_MAX }: Schema): fc.Arbitrary<string> {
  const most = Math.min(maxLength, LENGTH_MAX);
  if (pattern !== undefined)
    return fc
      .stringMatching(new RegExp(pattern), { size: 'small' })
      .filter(({ length }) => length >= minLength && length <= maxLength);
  if (format === 'date-time')
    return fc.date({ noInvalidDate: true, min: new Date(0) }).map((date) => date.toISOString());
  if (format === 'uuid') return fc.uuid();
  if (format === 'uri') return fc.webUrl();
  return fc.string({ minLength, maxLength: most });
}

function object(
  { properties = {}, required = [], additionalProperties, maxProperties = 5 }: Schema,
  inner: (schema: object) => fc.Arbitrary<unknown>,
  depth: number,
): fc.Arbitrary<object> {
  const named = fc.record(
    Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, inner(schema)])),
    { requiredKeys: required.filter((name) => Object.hasOwn(properties, name)) },
  );
  if (additionalProperties === false || depth > DEPTH_MAX) return named;
  const values =
    typeof additionalProperties === 'object' ? inner(additionalProperties) : fc.jsonValue({ maxDepth: 2 });
  const more = fc.dictionary(fc.string({ maxLength: 20 }), values, { maxKeys: Math.min(maxProperties, 3) });
  return fc.tuple(more, named).map(([extra, own]) => ({ ...extra, ...own }));
}

/** What programs stumble over. */
const ODD_TEXTS = [
  '',
  ' ',
  '.',
  '..',
  '../../etc/passwd',
  '/',
  '//',
  '%',
  '%00',
  '%2e%2e%2f',
  '\u0000',
  '\r\nx-injected: 1',
  '\ud800',
  '\u202e\u2066',
  '𝒶'.repeat(200),
  'é'.normalize('NFD'),
  '__proto__',
  'constructor',
  'toString',
  'null',
  'NaN',
  '-0',
  '1e999',
  '9007199254740993',
  "' OR 1=1 --",
  '${7*7}{{7*7}}',
  '<script>alert(1)</script>',
  'x'.repeat(5000),
];

export const oddText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...ODD_TEXTS),
  fc.string({ maxLength: 50 }),
  fc.string({ unit: 'binary', maxLength: 50 }),
);

/** JSON and what is not quite it, as text. */
export const oddJson: fc.Arbitrary<string> = fc.oneof(
  fc.json({ maxDepth: 5 }),
  fc.constantFrom(
    '',
    '{',
    'null',
    '[]',
    '0',
    '"x"',
    'undefined',
    '{"a":1,"a":2}',
    '{"__proto__":{"polluted":true}}',
    '{"constructor":{"prototype":{"polluted":true}}}',
    '{"framework":{"type":1e999}}',
    '{"framework":{"type":"\\ud800"}}',
    '\ufeff{}',
    `${'['.repeat(10_000)}${']'.repeat(10_000)}`,
    `{"framework":{"type":"generic","config":${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}}}`,
    `{"x":"${'y'.repeat(300_000)}"}`,
  ),
  oddText,
);

/** A fitting value with something of it taken away, replaced or added. */
export const spoiled = (value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc
    .tuple(
      value,
      fc.nat(),
      fc.constantFrom('drop', 'replace', 'add'),
      fc.oneof(fc.jsonValue({ maxDepth: 2 }), oddText),
    )
    .map(([fit, at, how, other]) => spoil(fit, at, how, other));

function spoil(value: unknown, at: number, how: 'drop' | 'replace' | 'add', other: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return other;
  const entries = Object.entries(value as Record<string, unknown>);
  if (how === 'add' || entries.length === 0) return { ...value, [`odd${at % 7}`]: other };
  const chosen = at % entries.length;
  // Half of the time somewhere further down.
  return Object.fromEntries(
    entries.flatMap(([name, each], index) => {
      if (index !== chosen) return [[name, each]];
      if (typeof each === 'object' && each !== null && at % 2 === 0)
        return [[name, spoil(each, Math.floor(at / 2), how, other)]];
      return how === 'drop' ? [] : [[name, other]];
    }),
  );
}
