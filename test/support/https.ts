/** Requests over real TLS with the path exactly as given: no client library tidies it up. */
import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { Agent, request as send } from 'node:https';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

export interface AskOptions {
  method?: string;
  headers?: OutgoingHttpHeaders;
  body?: string | Buffer | Readable;
  /** PEM */
  cert?: string | undefined;
  key?: string | undefined;
  agent?: Agent;
  signal?: AbortSignal;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  text: string;
  /** Of a JSON body; undefined of any other. */
  json: unknown;
}

export interface Server {
  /** Default 127.0.0.1. */
  host?: string;
  port: number;
  /** PEM of whom to trust. */
  ca: string;
}

/** The answer as it comes. */
export async function open(server: Server, path: string, options: AskOptions = {}): Promise<IncomingMessage> {
  const { method = 'GET', headers = {}, body, cert, key, agent, signal } = options;
  const request = send({
    host: server.host ?? '127.0.0.1',
    port: server.port,
    ca: server.ca,
    cert,
    key,
    method,
    path,
    headers,
    agent: agent ?? new Agent({ keepAlive: false, maxCachedSessions: 0 }),
    ...(signal === undefined ? {} : { signal }),
  });
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  // The answer may come before the body is sent, and is what counts then.
  if (body instanceof Readable) pipeline(body, request).catch(() => undefined);
  else request.end(body);
  const [response] = await answered;
  return response;
}

export async function ask(server: Server, path: string, options: AskOptions = {}): Promise<Answer> {
  const response = await open(server, path, options);
  const bytes = await buffer(response);
  const text = bytes.toString('utf8');
  const isJson = response.headers['content-type']?.startsWith('application/json') === true && text !== '';
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    bytes,
    text,
    json: isJson ? (JSON.parse(text) as unknown) : undefined,
  };
}
