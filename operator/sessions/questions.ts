/** What agents ask of people, seen from lists: a question in the log makes the session one that needs input, until it is answered or taken back. */
import { isTerminal } from '../../common/api/session.ts';
import type { Session } from '../../common/api/session.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isConflict, isNotFound } from '../../common/kube/errors.ts';
import { sessions as resource } from '../../common/kube/resource.ts';
import { isTrue, setCondition, shorten } from '../../common/rules/conditions.ts';
import { oneLine } from '../../common/rules/wording.ts';
import type { RecordLine } from './log-records.ts';
import type { SessionLookup } from './lookup.ts';

export interface QuestionsOptions {
  client: KubeClient;
  sessions: Pick<SessionLookup, 'get'>;
  now: () => Date;
}

const ATTEMPTS = 8;
const MESSAGE_MAX = 1024;

export class Questions {
  readonly #options: QuestionsOptions;

  constructor(options: QuestionsOptions) {
    this.#options = options;
  }

  /** Written once a question, however often its record is sent. Throws what keeps it from being written. */
  async note(session: Session, records: readonly RecordLine[]): Promise<void> {
    const last = records.findLast(({ question, isWithdrawal }) => question !== undefined || isWithdrawal);
    if (last === undefined) return;
    const { client, sessions } = this.#options;
    const { namespace = '', name, uid } = session.metadata;
    let current = sessions.get(namespace, name) ?? session;
    for (let attempt = 1; ; attempt++) {
      if (current.metadata.uid !== uid || isTerminal(current.status?.phase)) return;
      // Where nobody can answer it is but a sentence in the log.
      if (current.status?.input?.open !== true) return;
      if ((current.status?.input?.asked ?? 0) >= last.seq) return;
      try {
        return await this.#write(current, last);
      } catch (error) {
        if (isNotFound(error)) return;
        if (!isConflict(error) || attempt >= ATTEMPTS) throw error;
      }
      current = await client.get(resource, { namespace, name });
    }
  }

  async #write({ metadata, status }: Session, { seq, question }: RecordLine): Promise<void> {
    if (question === undefined && !isTrue(status?.conditions, 'NeedsInput')) return;
    const { namespace, name, uid, resourceVersion, generation } = metadata;
    const conditions = setCondition(
      status?.conditions,
      question === undefined
        ? {
            type: 'NeedsInput',
            status: 'False',
            reason: 'Withdrawn',
            message: 'The agent has taken its question back.',
          }
        : {
            type: 'NeedsInput',
            status: 'True',
            reason: 'Asked',
            message: shorten(oneLine(question), MESSAGE_MAX) || 'The agent asks something.',
          },
      {
        now: `${this.#options.now().toISOString().slice(0, 19)}Z`,
        ...(generation === undefined ? {} : { observedGeneration: generation }),
      },
    );
    await this.#options.client.mergePatch(
      resource,
      { namespace, name, subresource: 'status' },
      {
        metadata: { uid, resourceVersion },
        status: { input: { ...status?.input, asked: seq }, conditions },
      },
      { answer: 'metadata' },
    );
  }
}
