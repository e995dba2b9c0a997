/**
 * Addresses in answers: absolute, so that whoever gets one can follow it. Those of artifacts are signed: they work without a token
 * until they expire, for this one artifact, and as long as the person to whom they were given may see it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { REST_BASE } from '../../../common/api/rest/operation.ts';
import type { Session } from '../../../common/api/session.ts';
import { AmbientError } from '../../../common/errors.ts';
import type { Caller } from '../identity/caller.ts';
import type { Guard } from './door.ts';
import { rights } from './rights.ts';

export interface LinksOptions {
  guard: Pick<Guard, 'may'>;
  /** The address of the base path as people reach it; undefined: as the request says. */
  publicUrl: string | undefined;
  /** The same on every replica, and after a restart. */
  keys: () => { signing: Buffer; accepted: readonly Buffer[] };
  now: () => Date;
}

export interface Downloads {
  /** Undefined for a caller who may not see artifacts. */
  url: (path: string) => string | undefined;
  /** Changes when the addresses do. */
  validity: string;
}

/** Which file of which session. */
export interface Download {
  namespace: string;
  id: string;
  path: string;
}

/** To whom an address was given, and for which session: one of the same name made later is another. */
export interface Grant {
  caller: Caller;
  uid: string;
}

/** Good for this long at least, and twice as long at most: so that the same answer has the same addresses for a while. */
const VALID_MS = 10 * 60_000;
const HOST = /^[A-Za-z0-9.-]+(:\d{1,5})?$|^\[[0-9A-Fa-f:.]+\](:\d{1,5})?$/;

const grants = Compile(
  Type.Object({
    name: Type.String(),
    uid: Type.Optional(Type.String()),
    groups: Type.Array(Type.String()),
    session: Type.String(),
  }),
);

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

  /** Addresses of a session's artifacts for this caller. */
  async downloads(request: FastifyRequest, caller: Caller, { metadata }: Session): Promise<Downloads> {
    const { namespace = '', name: id, uid = '' } = metadata;
    const right = rights.live('get', 'artifacts', { namespace, id });
    if (!(await this.#options.guard.may(caller, right))) return { url: () => undefined, validity: 'none' };
    const expires = (Math.floor(this.#options.now().getTime() / VALID_MS) + 2) * (VALID_MS / 1000);
    const grant = encode(caller, uid);
    const key = this.#options.keys().signing;
    const base = `${this.base(request)}/namespaces/${encodeURIComponent(namespace)}/sessions/${encodeURIComponent(id)}/artifacts`;
    const url = (path: string): string => {
      const signature = sign(key, { namespace, id, path }, expires, grant).toString('base64url');
      const query = new URLSearchParams({ expires: String(expires), grant, signature });
      return `${base}/${path.split('/').map(encodeURIComponent).join('/')}?${query}`;
    };
    return { url, validity: `${expires} ${grant}` };
  }

  /** To whom a signed address was given. Throws forbidden for one that was not made here, was changed, or has expired. */
  check(download: Download, sent: { expires?: number; grant?: string; signature?: string }): Grant {
    const { expires = 0, grant = '', signature = '' } = sent;
    const given = digest(Buffer.from(signature, 'base64url'));
    // Compared as digests of one length: how much of it is right shows nowhere.
    const known = this.#options
      .keys()
      .accepted.map((key) => timingSafeEqual(digest(sign(key, download, expires, grant)), given));
    if (!known.includes(true)) throw new AmbientError('forbidden', 'this address was not given out as it is');
    if (expires * 1000 <= this.#options.now().getTime())
      throw new AmbientError('forbidden', 'this address has expired: list the artifacts again for a new one');
    return decode(grant);
  }
}

function sign(key: Buffer, { namespace, id, path }: Download, expires: number, grant: string): Buffer {
  const text = JSON.stringify(['artifact', namespace, id, path, expires, grant]);
  return createHmac('sha256', key).update(text).digest();
}

const digest = (bytes: Buffer): Buffer => createHmac('sha256', 'length').update(bytes).digest();

const encode = ({ name, uid, groups }: Caller, session: string): string =>
  Buffer.from(JSON.stringify({ name, uid, groups, session })).toString('base64url');

/** Of a grant whose signature is right. */
function decode(grant: string): Grant {
  const value: unknown = JSON.parse(Buffer.from(grant, 'base64url').toString('utf8'));
  if (!grants.Check(value)) throw new AmbientError('forbidden', 'this address is of another version');
  const { name, uid, groups, session } = value;
  return { caller: { name, ...(uid === undefined ? {} : { uid }), groups, extra: {} }, uid: session };
}
