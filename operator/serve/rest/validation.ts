/** What is sent, checked against the schemas of common/api/rest. What comes as text becomes what its schema says, and only exactly so. */
import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { AmbientError } from '../../../common/errors.ts';
import { problemsOf } from '../../sessions/validate.ts';

/** Where the path and the query have texts only. */
const WORDS: Readonly<Record<string, string>> = {
  querystring: 'the parameter',
  params: 'the path',
  headers: 'the header',
};

export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart = 'body' }) => {
  const validator = Compile(schema);
  const properties = propertiesOf(schema);
  const isQuery = httpPart === 'querystring';
  return (sent: unknown) => {
    const value = httpPart === 'body' ? (sent ?? {}) : fromText(sent, properties, isQuery);
    if (value instanceof AmbientError) return { error: value };
    if (validator.Check(value)) return { value };
    const where = WORDS[httpPart];
    const problems = problemsOf(validator, value);
    return {
      error: new AmbientError('invalid_request', where === undefined ? problems : `${where} ${problems}`),
    };
  };
};

type Properties = Readonly<Record<string, { type?: unknown; default?: unknown }>>;

const propertiesOf = (schema: TSchema): Properties =>
  'properties' in schema && typeof schema.properties === 'object' ? (schema.properties as Properties) : {};

/** Every value as its schema's type, defaults added; a text that is not one of it stays, for the check to name it. */
function fromText(sent: unknown, properties: Properties, isQuery: boolean): unknown {
  if (typeof sent !== 'object' || sent === null) return sent;
  const value: Record<string, unknown> = {};
  for (const [key, text] of Object.entries(sent)) {
    // The rest of the path, as {path+} has it.
    const name = key === '*' ? 'path' : key;
    if (!Object.hasOwn(properties, name)) {
      if (isQuery) return refuse(`there is no parameter ${JSON.stringify(name.slice(0, 100))}`);
      continue;
    }
    if (isQuery && Array.isArray(text)) return refuse(`the parameter ${name} stands there twice`);
    value[name] = typed(text, properties[name]?.type);
  }
  for (const [name, { default: usual }] of Object.entries(properties))
    if (value[name] === undefined && usual !== undefined) value[name] = usual;
  return value;
}

const refuse = (message: string): AmbientError => new AmbientError('invalid_request', message);

function typed(text: unknown, type: unknown): unknown {
  if (typeof text !== 'string') return text;
  if (type === 'integer' && /^(0|-?[1-9]\d{0,14})$/.test(text)) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}
