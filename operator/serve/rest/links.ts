/** Addresses in answers: absolute, so that whoever gets one can follow it. */
import type { FastifyRequest } from 'fastify';
import { REST_BASE } from '../../../common/api/rest/operation.ts';
import type { Session } from '../../../common/api/session.ts';
import type { Caller } from '../identity/caller.ts';
import type { Guard } from './door.ts';
import { rights } from './rights.ts';

export interface LinksOptions {
  guard: Guard;
  /** The address of the base path as people reach it; undefined: as the request says. */
  publicUrl: string | undefined;
}

export interface Downloads {
  /** Undefined for a caller who may not see artifacts. */
  url: (path: string) => string | undefined;
  /** Changes when the addresses do. */
  validity: string;
}

const HOST = /^[A-Za-z0-9.-]+(:\d{1,5})?$|^\[[0-9A-Fa-f:.]+\](:\d{1,5})?$/;

export class Links {
  readonly #options: LinksOptions;

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  base({ headers }: FastifyRequest): string {
    const { publicUrl } = this.#options;
    if (publicUrl !== undefined) return publicUrl;
    const host = headers.host !== undefined && HOST.test(headers.host) ? headers.host : 'localhost';
    // Of a proxy in front, for the very caller who sent it: nobody else sees this answer.
    const scheme = headers['x-forwarded-proto'] === 'http' ? 'http' : 'https';
    return `${scheme}://${host}${REST_BASE}`;
  }

  async downloads(request: FastifyRequest, caller: Caller, { metadata }: Session): Promise<Downloads> {
    const { namespace = '', name } = metadata;
    const right = rights.live('get', 'artifacts', { namespace, id: name });
    if (!(await this.#options.guard.may(caller, right))) return { url: () => undefined, validity: 'none' };
    const base = `${this.base(request)}/namespaces/${encodeURIComponent(namespace)}/sessions/${encodeURIComponent(name)}/artifacts`;
    const url = (path: string): string => `${base}/${path.split('/').map(encodeURIComponent).join('/')}`;
    return { url, validity: 'bearer' };
  }
}
