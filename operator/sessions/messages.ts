/**
 * What people say to a running session: kept in the store, then claimed in status, which gives it its number. Status decides
 * which words count and in which order, so that no replica and no crash can lose one, take one twice or leave a gap.
 */
import { createHash } from 'node:crypto';
import { json } from 'node:stream/consumers';
import { Compile } from 'typebox/compile';
import { InterruptRequest, MessageRequest } from '../../common/api/live.ts';
import type { MessageAccepted } from '../../common/api/live.ts';
import { LIVE_API_VERSION, USER_MAX } from '../../common/api/names.ts';
import type { Said } from '../../common/api/runner.ts';
import { isTerminal, MESSAGE_BYTES_MAX, MESSAGES_MAX } from '../../common/api/session.ts';
import type { Session, SessionStatus } from '../../common/api/session.ts';
import { AmbientError } from '../../common/errors.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isConflict, isNotFound } from '../../common/kube/errors.ts';
import { sessions } from '../../common/kube/resource.ts';
import { isTrue, setCondition } from '../../common/rules/conditions.ts';
import { oneLine } from '../../common/rules/wording.ts';
import { keys, refOf } from '../store/keys.ts';
import type { ArtifactStore } from '../store/store.ts';
import { problemsOf } from './validate.ts';

const messageValidator = Compile(MessageRequest);
const interruptValidator = Compile(InterruptRequest);
/** Lost races with the controller's own patches before giving up. */
const ATTEMPTS = 8;
/** UTF-16 units of one answer to a runner, at least one message. */
const ANSWER_MAX = 64 * 1024;

type Claim = NonNullable<NonNullable<SessionStatus['input']>['messages']>[number];

/** One message or interrupt before it has a number. */
interface Call {
  kind: Claim['kind'];
  id: string;
  by: string;
  text: string;
  digest: string;
}

export interface MessagesOptions {
  client: KubeClient;
  store: ArtifactStore;
  newId: () => string;
  now: () => Date;
}

export class Messages {
  readonly #options: MessagesOptions;

  constructor(options: MessagesOptions) {
    this.#options = options;
  }

  /**
   * Takes a message and answers with its number; the same again, by its id, changes nothing. Throws invalid_request, too_large,
   * already_finished, not_found, and conflict for a session that does not run, takes no messages or has taken all it may, and for
   * an id that stands for something else.
   */
  async send(session: Session, user: string, body: unknown, signal?: AbortSignal): Promise<MessageAccepted> {
    if (!messageValidator.Check(body))
      throw new AmbientError('invalid_request', problemsOf(messageValidator, body));
    const text = body.text.toWellFormed();
    if (Buffer.byteLength(text) > MESSAGE_BYTES_MAX)
      throw new AmbientError('too_large', `a message has at most ${MESSAGE_BYTES_MAX} bytes`);
    return await this.#take(session, this.#call('message', body.id, user, text), signal);
  }

  /** Likewise, asking the agent to leave off what it does. */
  async interrupt(
    session: Session,
    user: string,
    body: unknown,
    signal?: AbortSignal,
  ): Promise<MessageAccepted> {
    if (!interruptValidator.Check(body))
      throw new AmbientError('invalid_request', problemsOf(interruptValidator, body));
    return await this.#take(session, this.#call('interrupt', body.id, user, ''), signal);
  }

  /** What was said after a number, in order: as much as one answer holds. */
  async after(session: Session, after: number): Promise<Said[]> {
    const said: Said[] = [];
    let size = 0;
    for (const { seq, id, kind, by, digest } of session.status?.input?.messages ?? []) {
      if (seq <= after) continue;
      const text = kind === 'interrupt' ? '' : await this.#read(session, digest);
      size += text.length;
      if (said.length > 0 && size > ANSWER_MAX) break;
      said.push({ seq, id, kind, by, text });
    }
    return said;
  }

  #call(kind: Call['kind'], id: string | undefined, user: string, text: string): Call {
    const by = user.slice(0, USER_MAX);
    const known = id ?? this.#options.newId();
    const digest = createHash('sha256')
      .update(JSON.stringify([kind, known, by, text]))
      .digest('hex');
    return { kind, id: known, by, text, digest };
  }

  async #take(session: Session, call: Call, signal: AbortSignal | undefined): Promise<MessageAccepted> {
    const { client } = this.#options;
    const { namespace = '', name, uid } = session.metadata;
    let current = session;
    for (let attempt = 1; ; attempt++) {
      try {
        if (attempt > 1) {
          current = await client.get(sessions, { namespace, name }, { signal });
          if (current.metadata.uid !== uid) throw gone(name);
        }
        const standing = current.status?.input?.messages?.find(({ id }) => id === call.id);
        if (standing !== undefined) return answer(sameAs(standing, call));
        this.#permit(current, call);
        if (attempt === 1 && call.kind === 'message') await this.#write(current, call, signal);
        return answer(await this.#claim(current, call, signal));
      } catch (error) {
        if (isNotFound(error)) throw gone(name);
        if (!isConflict(error) || attempt >= ATTEMPTS) throw error;
      }
    }
  }

  #permit({ metadata: { name }, spec, status }: Session, { kind }: Call): void {
    const { phase, stop, input } = status ?? {};
    if (isTerminal(phase)) throw new AmbientError('already_finished', `session ${name} is ${phase}`);
    if (stop !== undefined) throw new AmbientError('already_finished', `session ${name} is being stopped`);
    if (phase !== 'Running')
      throw new AmbientError(
        'conflict',
        `session ${name} does not run yet: ${kind === 'message' ? 'nobody hears it' : 'there is nothing to interrupt'}`,
      );
    if (input?.open !== true)
      throw new AmbientError('conflict', `framework ${spec.framework.type} takes no messages while it runs`);
    if ((input?.messages?.length ?? 0) >= MESSAGES_MAX)
      throw new AmbientError(
        'conflict',
        `session ${name} has taken ${MESSAGES_MAX} messages, the most there may be; resume it as a new one to go on`,
      );
  }

  async #write(session: Session, { text, digest }: Call, signal: AbortSignal | undefined): Promise<void> {
    await this.#options.store.put(
      keys.message(refOf(session), digest),
      Buffer.from(JSON.stringify({ text })),
      { contentType: 'application/json', ...(signal === undefined ? {} : { signal }) },
    );
  }

  async #read(session: Session, digest: string): Promise<string> {
    const { body } = await this.#options.store.get(keys.message(refOf(session), digest));
    return ((await json(body)) as { text: string }).text;
  }

  async #claim(session: Session, call: Call, signal: AbortSignal | undefined): Promise<Claim> {
    const { client, now } = this.#options;
    const { namespace, name, uid, resourceVersion, generation } = session.metadata;
    const at = `${now().toISOString().slice(0, 19)}Z`;
    const { input, conditions } = session.status ?? {};
    const before = input?.messages ?? [];
    const { kind, id, by, digest } = call;
    const claim: Claim = { seq: before.length + 1, id, kind, by, at, digest };
    const isAnswer = kind === 'message' && isTrue(conditions, 'NeedsInput');
    await client.mergePatch(
      sessions,
      { namespace, name, subresource: 'status' },
      // With the version it was computed from: a lost race is a conflict, never a number given twice.
      {
        metadata: { uid, resourceVersion },
        status: {
          input: { ...input, messages: [...before, claim] },
          ...(isAnswer
            ? {
                conditions: setCondition(
                  conditions,
                  {
                    type: 'NeedsInput',
                    status: 'False',
                    reason: 'Answered',
                    message: `Answered by ${oneLine(by)}.`,
                  },
                  { now: at, ...(generation === undefined ? {} : { observedGeneration: generation }) },
                ),
              }
            : {}),
        },
      },
      { signal },
    );
    return claim;
  }
}

/** Throws conflict when the id stands for other words. */
function sameAs(standing: Claim, { digest, id }: Call): Claim {
  if (standing.digest === digest) return standing;
  throw new AmbientError('conflict', `message ${id} was sent before, and said something else`);
}

const gone = (name: string): AmbientError => new AmbientError('not_found', `session ${name} is gone`);

const answer = ({ seq, id, by, at }: Claim): MessageAccepted => ({
  kind: 'MessageAccepted',
  apiVersion: LIVE_API_VERSION,
  seq,
  id,
  by,
  at,
});
