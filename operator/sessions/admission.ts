/** What happens before the API server stores something: who launched a session is stamped, what policy forbids is refused. */
import { Compile } from 'typebox/compile';
import type { AuditEvent } from '../../common/api/audit.ts';
import { USER_MAX } from '../../common/api/names.ts';
import type { Framework } from '../../common/api/framework.ts';
import { NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import { GROUPS_MAX, SessionSpec } from '../../common/api/session.ts';
import { SessionTriggerSpec } from '../../common/api/session-trigger.ts';
import { AmbientError } from '../../common/errors.ts';
import { admit } from '../../common/rules/admission.ts';
import type { Refusal } from '../../common/rules/admission.ts';
import { shorten } from '../../common/rules/conditions.ts';
import { policyMistakes } from '../../common/rules/policy/config.ts';
import { error } from '../../common/rules/policy/mistake.ts';
import type { PolicyMistake } from '../../common/rules/policy/mistake.ts';
import type { Violation } from '../../common/rules/policy/violation.ts';
import { withDataHeld } from '../../common/rules/retention.ts';
import { triggerMistakes } from '../../common/rules/triggers/mistakes.ts';
import { oneLine } from '../../common/rules/wording.ts';
import type { AuditTrail } from '../record/audit.ts';
import { judge, violationDetails } from './judgement.ts';
import type { Policies } from './policies.ts';
import { problemsOf } from './validate.ts';

export type { Violation } from '../../common/rules/policy/violation.ts';
export type CreatedBy = NonNullable<SessionSpec['createdBy']>;

/** As the API server authenticated them. */
export interface Requester {
  name: string;
  uid: string | undefined;
  groups: readonly string[];
}

/** Something somebody is about to do. */
export interface Act {
  namespace: string;
  /** '' where the API server has not made one up yet. */
  name: string;
  uid: string | undefined;
  by: Requester;
  /** Nothing will be stored, so nothing is recorded. */
  dryRun: boolean;
  traceId: string;
}

/** Kinds of which it is recorded who changes them. */
export type Governed = 'sessions' | 'namespacepolicies' | 'sessiontriggers';

export interface AdmissionOptions {
  policies: Pick<Policies, 'of'>;
  /** Undefined where there is none of this name: the controller says so. */
  framework: (name: string) => Framework | undefined;
  /** All of the cluster. */
  frameworks: () => readonly Framework[];
  /** Whether all policies are known: before, none would seem to be set. */
  ready: () => boolean;
  audit: AuditTrail;
  /** Its user name: the one who may say for whom it launches a session. */
  operator: string;
}

/** The API server cuts what is longer, and drops what no HTTP header can carry. */
const WARNING_MAX = 256;

const sessionSpec = Compile(SessionSpec);
const policySpec = Compile(NamespacePolicySpec);
const triggerSpec = Compile(SessionTriggerSpec);

export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /**
   * What spec.createdBy must be; undefined: what was sent stays.
   * @throws AmbientError `invalid` for a user whose name is too long to be kept: a cut one would be another user
   */
  createdBy(sent: unknown, by: Requester): CreatedBy | undefined {
    if (sent !== undefined && by.name === this.#options.operator) return undefined;
    return stampOf(by);
  }

  /** What metadata.finalizers must be, so that the object stays until its data are gone; undefined: what was sent stays. */
  finalizers(sent: unknown): string[] | undefined {
    const standing = Array.isArray(sent) ? sent.filter((each) => typeof each === 'string') : [];
    const held = withDataHeld(standing);
    return held.length === standing.length ? undefined : held;
  }

  /**
   * What the namespace's policy has against the session; empty: it may be stored. Refusals and launches are recorded first.
   * A framework that is not there yet may come, and is the controller's to wait for; what does not fit one that is there never will.
   * @throws AmbientError `unavailable`, `invalid`, also for a configuration that its framework does not take, `audit_unavailable`
   */
  async judge(act: Act, spec: unknown): Promise<{ violations: Violation[]; warnings: string[] }> {
    if (!this.#options.ready())
      throw new AmbientError(
        'unavailable',
        'the operator has just started and does not know the policies yet',
      );
    if (!sessionSpec.Check(spec)) throw invalid('spec', problemsOf(sessionSpec, spec));
    const { framework, trigger, createdBy, resume } = spec;
    // Who may see the old session is decided by the API server where it is resumed.
    if (resume !== undefined && act.by.name !== this.#options.operator)
      throw new AmbientError(
        'forbidden',
        'spec.resume is the operator’s: a session is resumed by sessions/resume of live.ambient.ai',
      );
    // Whoever asked the operator to launch it is the one who acts.
    const isForOther = act.by.name === this.#options.operator && createdBy !== undefined;
    const actor = isForOther ? { ...act, by: { ...act.by, name: createdBy.user } } : act;
    const found = this.#options.framework(framework.type);
    const { violations } = judge(spec, this.#options.policies.of(act.namespace), found);
    const misfit = violations.length > 0 || found === undefined ? undefined : misfitOf(spec, found);
    const isAllowed = violations.length === 0 && misfit === undefined;
    await this.#record(actor, 'create', 'sessions', isAllowed ? 'allowed' : 'denied', {
      framework: framework.type,
      trigger: trigger?.source ?? 'manual',
      ...(isForOther ? { by: act.by.name } : {}),
      ...(trigger?.name === undefined ? {} : { sessionTrigger: trigger.name }),
      ...(trigger?.delivery === undefined ? {} : { delivery: trigger.delivery }),
      // Which fields somebody wrote who is nobody here.
      ...(trigger?.outside === undefined ? {} : { outside: trigger.outside.map(({ field }) => field) }),
      ...(violations.length === 0 ? {} : violationDetails(violations)),
      ...(misfit === undefined ? {} : { reason: misfit.details['reason'] }),
    });
    if (misfit !== undefined) throw misfit;
    return { violations, warnings: found === undefined ? [] : deprecationOf(spec, found) };
  }

  /** What is wrong with a policy, for whoever sets it. Refuses nothing that the schema takes. */
  async policyWarnings(act: Act, action: 'create' | 'update', spec: unknown): Promise<string[]> {
    const mistakes = policySpec.Check(spec) ? policyMistakes(spec) : [misfit(problemsOf(policySpec, spec))];
    return [...(await this.#note(act, action, 'namespacepolicies')), ...mistakes.map(warningOf)];
  }

  /** The same of a trigger. */
  async triggerWarnings(act: Act, action: 'create' | 'update', spec: unknown): Promise<string[]> {
    const mistakes = triggerSpec.Check(spec)
      ? triggerMistakes(spec, this.#options.frameworks())
      : [misfit(problemsOf(triggerSpec, spec))];
    return [...(await this.#note(act, action, 'sessiontriggers')), ...mistakes.map(warningOf)];
  }

  /** Only to know who did it: a deletion is never held up. */
  async deletion(act: Act, resource: Governed): Promise<string[]> {
    return await this.#note(act, 'delete', resource);
  }

  /** Of what happens in any case; the warning when it could not be recorded. */
  async #note(act: Act, action: AuditEvent['action'], resource: string): Promise<string[]> {
    try {
      await this.#record(act, action, resource, 'allowed');
      return [];
    } catch (error) {
      if (!(error instanceof AmbientError)) throw error;
      return [`this could not be recorded in the audit log: ${error.message}`];
    }
  }

  async #record(
    { namespace, name, uid, by, dryRun, traceId }: Act,
    action: AuditEvent['action'],
    resource: string,
    outcome: AuditEvent['outcome'],
    details?: Record<string, unknown>,
  ): Promise<void> {
    if (dryRun) return;
    const isSession = resource === 'sessions';
    await this.#options.audit.record({
      namespace,
      ...(isSession && name !== '' ? { sessionId: name } : {}),
      ...(isSession && uid !== undefined ? { sessionUid: uid } : {}),
      actor: by.name,
      action,
      resource,
      outcome,
      ...(details === undefined ? {} : { details }),
      traceId,
    });
  }
}

/**
 * spec.createdBy of whoever launches.
 * @throws AmbientError `invalid` for a user whose name is too long to be kept: a cut one would be another user
 */
export function stampOf(by: Requester): CreatedBy {
  if (by.name === '' || by.name.length > USER_MAX)
    throw new AmbientError('invalid', `a user name of ${by.name.length} characters cannot be kept`);
  const groups = by.groups.filter((group) => group.length <= USER_MAX).slice(0, GROUPS_MAX);
  const isUidKept = by.uid !== undefined && by.uid !== '' && by.uid.length <= USER_MAX;
  return {
    user: by.name,
    ...(isUidKept && by.uid !== undefined ? { uid: by.uid } : {}),
    ...(groups.length === 0 ? {} : { groups }),
  };
}

/** What never will run with this framework, named by its field. A mistake of the framework itself is not the session's. */
function misfitOf(spec: SessionSpec, framework: Framework): AmbientError | undefined {
  const admission = admit(spec, 0, [framework]);
  if (admission.accepted || !THEIRS.has(admission.reason)) return undefined;
  const { reason, message, fields = [] } = admission;
  return new AmbientError('invalid', message, { details: { reason, fields } });
}

const THEIRS: ReadonlySet<Refusal> = new Set<Refusal>(['UnknownFrameworkVersion', 'InvalidConfig']);

function deprecationOf(spec: SessionSpec, framework: Framework): string[] {
  const { type, version } = spec.framework;
  const { versions } = framework.spec;
  const taken = version === undefined ? versions[0] : versions.find(({ name }) => name === version);
  if (taken?.deprecated === undefined) return [];
  const text = `version ${taken.name} of framework ${type} is deprecated: ${taken.deprecated}`;
  return [shorten(oneLine(text), WARNING_MAX)];
}

const invalid = (field: string, problems: string): AmbientError =>
  new AmbientError('invalid', `${field} ${problems}`);

const misfit = (problems: string): PolicyMistake => error('spec', problems);

const warningOf = ({ path, message, severity }: PolicyMistake): string =>
  shorten(oneLine(`${severity}: ${path} ${message}`), WARNING_MAX);
