/** What a request of the live API means to the audit trail. Reasons and sizes, never what was sent or read. */
import type { IncomingMessage } from 'node:http';
import type { Access } from '../../sessions/accesses.ts';
import type { Route } from './route.ts';

export type AccessKind = Pick<Access, 'action' | 'resource' | 'details'>;

/** Undefined for decisions: they are recorded with what was decided and why, by whoever judges them. */
export function accessOf({ verb, path, query }: Route, request: IncomingMessage): AccessKind | undefined {
  switch (verb) {
    case 'log': {
      // A follower is recorded once, when he begins.
      const named = ['since', 'follow', 'format'].map((name) => [name, query.get(name)] as const);
      const details = Object.fromEntries(named.filter(([, value]) => value !== null));
      return { action: 'view', resource: 'sessions/log', details };
    }
    case 'artifacts':
      return { action: 'view', resource: 'sessions/artifacts' };
    case 'artifact': {
      const { range } = request.headers;
      const details = { path, method: request.method, ...(range === undefined ? {} : { range }) };
      return { action: 'view', resource: 'sessions/artifacts', details };
    }
    case 'source':
      return request.method === 'GET'
        ? { action: 'view', resource: 'sessions/source' }
        : {
            action: 'update',
            resource: 'sessions/source',
            details: { offset: query.get('offset'), bytes: request.headers['content-length'] ?? null },
          };
    case 'stop':
    case 'message':
    case 'interrupt':
    case 'resume':
      return { action: 'update', resource: `sessions/${verb}` };
    case 'approve':
    case 'reject':
    case 'budget':
      return undefined;
    case 'audit':
      return { action: 'view', resource: 'sessions/audit' };
  }
}
