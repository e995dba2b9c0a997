/** One operation of the REST API: from it come the route, the check of what is sent, the types of its handler and its part of the document. */
import type { Static, TObject, TSchema } from 'typebox';

/** Base path of all operations. */
export const REST_BASE = '/api/v1';
/** Of the document: raised with what it says. */
export const REST_VERSION = '1.1.0';

export interface Answer {
  description: string;
  /** Of a JSON body; absent: there is none, or it is not JSON. */
  schema?: TSchema;
  /** Of a body that is not JSON. */
  contentType?: string;
  /** What they mean, by name. */
  headers?: Readonly<Record<string, string>>;
}

export interface Operation<
  P extends TSchema = TSchema,
  Q extends TSchema = TSchema,
  H extends TSchema = TSchema,
  B extends TSchema = TSchema,
> {
  id: string;
  method: 'GET' | 'POST';
  /** With {name} for each of `params`, the last of which may be {name+}: the rest of the path. */
  path: string;
  tag: string;
  summary: string;
  description?: string;
  /** bearer: the token of a person; link: a signed, expiring address will do as well; key: an API key or a signature; open: everybody. */
  access: 'bearer' | 'link' | 'key' | 'open';
  /** Objects of strings, integers and booleans; every query parameter that is not among them is refused. */
  params: P;
  query: Q;
  /** Those that mean something, by their names in lower case. */
  headers: H;
  body?: B;
  /** May be left out, and is then an empty object. */
  isBodyOptional?: boolean;
  /** The answer goes on for as long as there is something to tell. */
  streams?: boolean;
  answers: Readonly<Record<number, Answer>>;
  /** Statuses with an error body. */
  refusals: readonly number[];
}

/** What a handler is given. */
export interface Sent<O extends Operation> {
  params: Static<O['params']>;
  query: Static<O['query']>;
  headers: Static<O['headers']>;
  body: Static<NonNullable<O['body']>>;
}

/** Keeps the types of the schemas. */
export const operation = <P extends TObject, Q extends TObject, H extends TObject, B extends TSchema = never>(
  definition: Operation<P, Q, H, B>,
): Operation<P, Q, H, B> => definition;
