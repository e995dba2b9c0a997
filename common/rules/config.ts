/** spec.framework.config checked against the framework's own JSON Schema, and completed with its defaults. */
import { Errors } from 'typebox/schema';
import { messageOf } from '../errors.ts';
import { formatList } from './wording.ts';

export type ConfigCheck =
  | { ok: true; config: Record<string, unknown> }
  /** framework: the schema itself cannot be used. `wrong`: the fields, as config.args.0. */
  | { ok: false; whose: 'framework' | 'config'; message: string; wrong: string[] };

/**
 * Absent top-level properties take the schema's default first. The message names every field that is wrong.
 * Without a schema everything passes.
 */
export function checkConfig(
  schema: Record<string, unknown> | undefined,
  given: Record<string, unknown> | undefined,
): ConfigCheck {
  const config = { ...defaultsOf(schema), ...given };
  if (schema === undefined) return { ok: true, config };
  try {
    const [valid, errors] = Errors(schema, config);
    if (valid) return { ok: true, config };
    // additionalProperties: false reports twice; the second line names no field.
    const told = errors.filter((error) => error.keyword !== 'boolean');
    const fieldOf = (path: string): string => `config${path.replaceAll('/', '.')}`;
    const lines = told.map(
      (error) => `${fieldOf(error.instancePath)} ${error.message}${detailOf(error.params, error.message)}`,
    );
    const wrong = told.map((error) => fieldOf(error.instancePath));
    return lines.length === 0
      ? { ok: false, whose: 'framework', message: 'its configSchema accepts nothing', wrong }
      : { ok: false, whose: 'config', message: formatList([...new Set(lines)], 10), wrong };
  } catch (error) {
    const message = `its configSchema cannot be used: ${messageOf(error)}`;
    return { ok: false, whose: 'framework', message, wrong: [] };
  }
}

function defaultsOf(schema: Record<string, unknown> | undefined): Record<string, unknown> {
  const properties: unknown = schema?.['properties'];
  if (typeof properties !== 'object' || properties === null) return {};
  const defaults: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(properties) as [string, unknown][])
    if (typeof property === 'object' && property !== null && 'default' in property)
      defaults[name] = property.default;
  return defaults;
}

/** Names and limits that make the message actionable, for example which properties are missing. */
function detailOf(params: object, message: string): string {
  const values = Object.entries(params)
    .filter(([, value]) => Array.isArray(value) && value.every((item) => typeof item === 'string'))
    .map(([, value]) => (value as string[]).join(', '))
    .filter((text) => !message.endsWith(text));
  return values.length === 0 ? '' : ` (${values.join('; ')})`;
}
