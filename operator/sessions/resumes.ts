/** Going on from a finished session as a new one: what it began with, what it changed and what was said, for whoever may resume it. */
import { Compile } from 'typebox/compile';
import { LIVE_API_VERSION } from '../../common/api/names.ts';
import { ResumeRequest } from '../../common/api/live.ts';
import type { Resumed } from '../../common/api/live.ts';
import { isTerminal } from '../../common/api/session.ts';
import type { Session, SessionSpec } from '../../common/api/session.ts';
import { AmbientError } from '../../common/errors.ts';
import { titleLine } from '../../common/rules/wording.ts';
import type { Requester } from './admission.ts';
import type { Launches } from './launch.ts';
import type { SessionLookup } from './lookup.ts';
import { isPayloadLeftOut } from './payload.ts';
import type { Results } from './result.ts';
import type { Sources } from './source.ts';
import { problemsOf } from './validate.ts';

const validator = Compile(ResumeRequest);

export interface ResumesOptions {
  launches: Pick<Launches, 'launch'>;
  sessions: Pick<SessionLookup, 'fetch'>;
  sources: Pick<Sources, 'isComplete'>;
  results: Pick<Results, 'get'>;
}

export interface ResumeCall {
  by: Requester;
  door: string;
  traceId: string;
  signal?: AbortSignal;
}

export class Resumes {
  readonly #options: ResumesOptions;

  constructor(options: ResumesOptions) {
    this.#options = options;
  }

  /**
   * Launches the new session in the name of whoever asks. Throws invalid_request, not_found, conflict for a session that has not
   * ended or whose source is not kept any more, and what launching throws.
   */
  async resume(session: Session, body: unknown, call: ResumeCall): Promise<Resumed> {
    if (!validator.Check(body)) throw new AmbientError('invalid_request', problemsOf(validator, body));
    const old = await this.#whole(session, call.signal);
    const { namespace = '', name } = old.metadata;
    if (!isTerminal(old.status?.phase))
      throw new AmbientError('conflict', `session ${name} has not ended; talk to it, or stop it first`);
    if (old.spec.source?.type === 'upload' && !(await this.#options.sources.isComplete(old)))
      throw new AmbientError('conflict', `the source of session ${name} is not kept any more`);
    // Where the old one began, whatever became of the branch since: only there its changes are sure to fit.
    const commit =
      old.spec.source?.type === 'git' ? (await this.#options.results.get(old))?.sourceCommit : undefined;
    const created = await this.#options.launches.launch({
      namespace,
      spec: specOf(old, body, commit),
      by: call.by,
      ...(body.id === undefined ? {} : { key: `resume/${old.metadata.uid ?? ''}/${body.id}` }),
      door: call.door,
      traceId: call.traceId,
      signal: call.signal,
    });
    return {
      kind: 'Resumed',
      apiVersion: LIVE_API_VERSION,
      name: created.metadata.name,
      uid: created.metadata.uid ?? '',
    };
  }

  async #whole(session: Session, signal: AbortSignal | undefined): Promise<Session> {
    if (!isPayloadLeftOut(session)) return session;
    const { namespace = '', name } = session.metadata;
    const whole = await this.#options.sessions.fetch(namespace, name, signal);
    if (whole === undefined) throw new AmbientError('not_found', `session ${name} is gone`);
    return whole;
  }
}

/** As the old one, by somebody's own hand: what caused that has not happened again. */
function specOf(
  { metadata, spec }: Session,
  { displayName, config }: ResumeRequest,
  commit: string | undefined,
): Omit<SessionSpec, 'createdBy'> {
  const { createdBy: _, trigger: __, resume, displayName: oldName, ...rest } = spec;
  // One that is older than the rule about it may hold what is not taken any more.
  const name = displayName ?? titleLine(oldName ?? '');
  const uid = metadata.uid ?? '';
  const ref = resume?.ref ?? spec.source?.git?.ref;
  return {
    ...rest,
    ...(name === '' ? {} : { displayName: name }),
    ...(rest.source?.git === undefined || commit === undefined
      ? {}
      : { source: { ...rest.source, git: { ...rest.source.git, ref: commit } } }),
    framework: { ...rest.framework, config: { ...rest.framework.config, ...config } },
    resume: {
      session: metadata.name,
      uid,
      source: resume?.source ?? uid,
      ...(ref === undefined ? {} : { ref }),
    },
  };
}

/** The session that one goes on from, as far as its data are concerned; undefined for one that begins by itself. */
export function resumedBy(session: Session): Session | undefined {
  const { resume } = session.spec;
  if (resume === undefined) return undefined;
  return { ...session, metadata: { ...session.metadata, name: resume.session, uid: resume.uid } };
}
