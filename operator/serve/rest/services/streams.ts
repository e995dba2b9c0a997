/** Log and state of a session as server-sent events. */
import { streamLog, streamState } from '../../../../common/api/rest/operations.ts';
import { isTerminal } from '../../../../common/api/session.ts';
import type { Session } from '../../../../common/api/session.ts';
import type { ResourceAttributes } from '../../../../common/kube/access.ts';
import { AmbientError } from '../../../../common/errors.ts';
import type { Accesses } from '../../../sessions/accesses.ts';
import { stateOf, summaryOf } from '../../../sessions/describe.ts';
import type { SessionLog } from '../../../sessions/log.ts';
import { findSession } from '../../../sessions/lookup.ts';
import type { SessionLookup } from '../../../sessions/lookup.ts';
import type { Guard } from '../door.ts';
import { refusalOf } from '../errors.ts';
import { EventStream } from '../event-stream.ts';
import { sendRaw } from '../raw.ts';
import { rights } from '../rights.ts';
import { addService, service } from '../routes.ts';
import type { Call } from '../routes.ts';
import type { RestScope } from '../scope.ts';
import { StreamPlaces } from '../stream-places.ts';

export interface StreamServicesOptions {
  sessions: SessionLookup;
  log: SessionLog;
  accesses: Accesses;
  /** Between comments that keep a silent stream alive. */
  heartbeatMs?: number;
  /** How often it is looked whether the reader still may. */
  recheckMs?: number;
}

const RECHECK_MS = 30_000;
const PLACES = { most: 2000, perPerson: 200 };
/** Characters handed to the connection at once. */
const PIECE = 128 * 1024;

type StreamCall = Call<typeof streamLog> | Call<typeof streamState>;

export function addStreamServices(scope: RestScope, guard: Guard, options: StreamServicesOptions): void {
  const { sessions, log, accesses, heartbeatMs, recheckMs = RECHECK_MS } = options;
  const places = new StreamPlaces(PLACES);

  const logRight = (params: { namespace: string; id: string }) => rights.live('get', 'log', params);
  addService(
    scope,
    guard,
    service({
      operation: streamLog,
      right: logRight,
      handle: (call) =>
        follow(call, 'sessions/log', async (session) => {
          const { query, headers } = call;
          const lastId = headers['last-event-id'];
          const since = lastId === undefined ? query.since : sequenceOf(lastId);
          // A reader that comes back after the end is told that there is no need to.
          if (lastId !== undefined && isTerminal(session.status?.phase)) {
            const { done } = await log.read(session, since).next();
            if (done === true) return undefined;
          }
          return async (stream, ending) => {
            const batches = query.follow ? log.follow(session, since, ending) : log.read(session, since);
            let last = since;
            for await (const { first, lines } of batches) {
              last = first + lines.length - 1;
              let size = 0;
              let piece: { id: number; event: string; data: string }[] = [];
              for (const [index, data] of lines.entries()) {
                piece.push({ id: first + index, event: 'record', data });
                size += data.length;
                if (size < PIECE) continue;
                await stream.send(piece);
                [piece, size] = [[], 0];
              }
              await stream.send(piece);
            }
            ending.throwIfAborted();
            // With an id, also of a log without records: readers come back, and only by it can be told that they need not.
            await stream.send([{ id: last, ...endOf(sessions.get(call.params.namespace, call.params.id)) }]);
          };
        }),
    }),
  );

  addService(
    scope,
    guard,
    service({
      operation: streamState,
      right: rights.get,
      handle: async (call) => {
        const { namespace, id } = call.params;
        // From before it is looked up: the end may come while the access is recorded, and no other change after it.
        let next = Promise.withResolvers<void>();
        using _changes = sessions.onChange(namespace, id, () => next.resolve());
        return await follow(call, 'sessions', async (session) => {
          const known = call.headers['last-event-id'];
          if (isTerminal(session.status?.phase) && known === session.metadata.resourceVersion)
            return undefined;
          return async (stream, ending) => {
            let shown = '';
            using _end = onAbort(ending, () => next.resolve());
            let current: Session | undefined = session;
            for (;;) {
              if (current === undefined || current.metadata.uid !== session.metadata.uid) {
                await stream.send([{ event: 'deleted', data: JSON.stringify({ id }) }]);
                return;
              }
              const data = JSON.stringify(summaryOf(current));
              const version = current.metadata.resourceVersion ?? '';
              if (data !== shown && !(shown === '' && version === known))
                await stream.send([{ id: version, event: 'state', data }]);
              shown = data;
              if (isTerminal(current.status?.phase)) return await stream.send([endOf(current)]);
              await next.promise;
              ending.throwIfAborted();
              next = Promise.withResolvers();
              current = sessions.get(namespace, id);
            }
          };
        });
      },
    }),
  );

  /** `begin` gives what is streamed; undefined: there is nothing any more. */
  async function follow(
    call: StreamCall,
    resource: string,
    begin: (
      session: Session,
    ) => Promise<((stream: EventStream, ending: AbortSignal) => Promise<void>) | undefined>,
  ): Promise<unknown> {
    const { params, caller, exchange, reply } = call;
    const { traceId, response } = exchange;
    const signal = AbortSignal.any([exchange.signal, exchange.closing]);
    const session = await findSession(sessions, params.namespace, params.id, signal);
    using _place = places.take(caller.name);
    const access = { session, actor: caller.name, action: 'view', traceId, signal } as const;
    const details = { door: 'rest', stream: true };
    return await accesses.of({ ...access, resource, details }, () =>
      sendRaw(reply, exchange, async () => {
        const stream = await begin(session);
        if (stream === undefined) {
          response.writeHead(204, { 'cache-control': 'no-store' }).end();
          return;
        }
        const right = resource === 'sessions' ? rights.get(params) : logRight(params);
        const refused = new AbortController();
        using _check = recheck(call, right, refused);
        const ending = AbortSignal.any([signal, refused.signal]);
        using events = new EventStream(response, ending, heartbeatMs);
        try {
          await stream(events, ending);
        } catch (error) {
          // Whoever waits there comes again elsewhere.
          if (!ending.aborted) throw error;
          if (refused.signal.aborted && !signal.aborted) tellRefused(call, refused.signal.reason);
        }
        events.end();
      }),
    );
  }

  /** A stream can outlive the right to it, and the token. */
  function recheck(call: StreamCall, right: ResourceAttributes, refused: AbortController): Disposable {
    const timer = setInterval(() => {
      mayStill(call, right).then(
        (may) => {
          if (!may) refused.abort(new AmbientError('forbidden', 'the right to see this was taken away'));
        },
        (error: unknown) => {
          // That it cannot be found out now is no reason to end.
          if (error instanceof AmbientError && error.code === 'unauthenticated') refused.abort(error);
        },
      );
    }, recheckMs);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  async function mayStill({ request }: StreamCall, right: ResourceAttributes): Promise<boolean> {
    return await guard.may(await guard.authenticate(request), right);
  }
}

function tellRefused({ exchange }: StreamCall, reason: unknown): void {
  const { body } = refusalOf(reason, exchange);
  exchange.response.write(`event: refused\ndata: ${JSON.stringify(body)}\n\n`);
}

const endOf = (session: Session | undefined) => ({
  event: 'end',
  data: JSON.stringify(session === undefined ? {} : { status: stateOf(session) }),
});

function sequenceOf(id: string): number {
  if (/^\d{1,15}$/.test(id)) return Number(id);
  throw new AmbientError('invalid_request', 'the header Last-Event-ID is the number of a record');
}

function onAbort(signal: AbortSignal, listener: () => void): Disposable {
  signal.addEventListener('abort', listener);
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', listener) };
}
