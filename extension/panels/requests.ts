/** Requests of a page, checked before they are believed. */
import type { TSchema } from 'typebox';
import { Check } from 'typebox/schema';
import type { Handlers } from '../../common/api/panels.ts';

type Schemas = Readonly<Record<string, TSchema>>;

/** Hands a message to its handler. Throws TypeError when it is none of those that the page may send. */
export async function dispatch<S extends Schemas, M extends { [K in keyof S]: unknown }>(
  schemas: S,
  handlers: Handlers<M>,
  message: unknown,
): Promise<void> {
  const { type, payload } = envelope(message);
  if (typeof type !== 'string' || !Object.hasOwn(schemas, type))
    throw new TypeError(`a page asked for something unknown: ${String(type).slice(0, 100)}`);
  const schema = schemas[type];
  if (schema === undefined || !Check(schema, payload))
    throw new TypeError(`a page sent a request that does not fit ${type}`);
  // The schema of this very type has just been checked.
  const handler = handlers[type as keyof M] as (payload: unknown) => void | Promise<void>;
  await handler(payload);
}

function envelope(message: unknown): { type?: unknown; payload?: unknown } {
  if (typeof message !== 'object' || message === null) return {};
  return { type: Reflect.get(message, 'type'), payload: Reflect.get(message, 'payload') };
}
