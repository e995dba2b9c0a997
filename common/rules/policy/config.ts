/**
 * What is wrong with a NamespacePolicy that its schema takes: contradictions, and rules that do not do what they seem to. An
 * error means that something asked for cannot be; a warning, that it can hardly be meant.
 */
import type { NamespacePolicySpec } from '../../api/namespace-policy.ts';
import { parseMoney } from '../money.ts';
import { DEFAULT_RETENTION } from './effective.ts';
import { egressMistakes } from './egress-mistakes.ts';
import { coversGlob } from './glob.ts';
import { entries, error, warning } from './mistake.ts';
import { gatewayMistakes } from './gateway-mistakes.ts';
import type { PolicyMistake } from './mistake.ts';
import { notificationMistakes } from './notification-mistakes.ts';
import { resultsMistakes } from './results-mistakes.ts';
import { webhookMistakes } from './webhook-mistakes.ts';

export type { PolicyMistake } from './mistake.ts';

/**
 * In the order of the fields; empty for a policy without mistakes. Never throws, whatever the schema lets through.
 * @param now milliseconds since the epoch; without it nothing has expired
 */
export function policyMistakes(spec: NamespacePolicySpec, now?: number): PolicyMistake[] {
  return [
    ...names('frameworks', spec.frameworks),
    ...names('models', spec.models),
    ...budget(spec.models?.budget),
    ...gatewayMistakes(spec.models),
    ...names('tools', spec.tools),
    ...egressMistakes(spec),
    ...entries('spec.isolation.runtimeClasses.allowed', spec.isolation?.runtimeClasses?.allowed),
    ...resultsMistakes(spec.results),
    ...approval(spec),
    ...retention(spec.retention),
    ...notificationMistakes(spec.notifications),
    ...webhookMistakes(spec.webhookAuth, now),
    ...concurrency(spec.concurrency),
  ];
}

interface Names {
  allowed?: string[];
  blocked?: string[];
}

function names(kind: 'frameworks' | 'models' | 'tools', rules: Names | undefined): PolicyMistake[] {
  const { allowed, blocked = [] } = rules ?? {};
  const path = `spec.${kind}`;
  const found = [...entries(`${path}.allowed`, allowed), ...entries(`${path}.blocked`, blocked)];
  const everything = blocked.findIndex((glob) => /^\*+$/.test(glob));
  if (everything >= 0) {
    const message = `"${blocked[everything] ?? ''}" blocks all ${kind}. Block only what must not be used, or list what may in ${path}.allowed.`;
    return [...found, error(`${path}.blocked[${everything}]`, message)];
  }
  for (const [index, glob] of (allowed ?? []).entries()) {
    const blocking = blocked.find((outer) => coversGlob(outer, glob));
    if (blocking === undefined) continue;
    const message = `"${glob}" is allowed and blocked by "${blocking}"; blocked wins. Remove one of the two.`;
    found.push(error(`${path}.allowed[${index}]`, message));
  }
  if (allowed?.length === 0) {
    const message = `is empty, so no ${kind.slice(0, -1)} may be used. List some, or remove the field to allow all.`;
    found.push(warning(`${path}.allowed`, message));
  }
  return found;
}

function budget(spec: NonNullable<NamespacePolicySpec['models']>['budget']): PolicyMistake[] {
  if (spec === undefined) return [];
  const path = 'spec.models.budget';
  const monthly = parseMoney(spec.monthly);
  const perSession = spec.perSession === undefined ? undefined : parseMoney(spec.perSession);
  const found: PolicyMistake[] = [];
  if (monthly === undefined)
    found.push(error(`${path}.monthly`, `"${spec.monthly}" is no amount. Write one as 100.00.`));
  else if (monthly === 0n)
    found.push(warning(`${path}.monthly`, 'is 0.00, so no session can spend anything. Set an amount.'));
  if (spec.perSession === undefined) return found;
  const at = `${path}.perSession`;
  if (perSession === undefined)
    found.push(error(at, `"${spec.perSession}" is no amount. Write one as 5.00.`));
  else if (monthly !== undefined && perSession > monthly) {
    const message = `${spec.perSession} is more than the ${spec.monthly} of a month. Set at most ${spec.monthly}.`;
    found.push(error(at, message));
  } else if (perSession === 0n && monthly !== 0n) {
    const message = 'is 0.00: sessions that name no budget of their own can spend nothing. Set an amount.';
    found.push(warning(at, message));
  }
  return found;
}

function approval({ approval: rules, models }: NamespacePolicySpec): PolicyMistake[] {
  const { required = false, approvers, autoApprove, allowSelfApproval } = rules ?? {};
  const path = 'spec.approval';
  const found = entries(`${path}.approvers`, approvers);
  if (autoApprove !== undefined && !required) {
    const message = 'has no effect, as approval is not required. Set spec.approval.required, or remove it.';
    found.push(warning(`${path}.autoApprove`, message));
  }
  if (autoApprove !== undefined && autoApprove.triggers === undefined && autoApprove.budget === undefined)
    found.push(
      warning(`${path}.autoApprove`, 'names neither triggers nor a budget, so it approves nothing.'),
    );
  found.push(...entries(`${path}.autoApprove.triggers`, autoApprove?.triggers));
  if (allowSelfApproval === true && !required) {
    const message = 'lets sessions that ask for approval themselves be approved by whoever launched them.';
    found.push(warning(`${path}.allowSelfApproval`, message));
  }
  const upTo = parseMoney(autoApprove?.budget ?? '');
  const monthly = parseMoney(models?.budget?.monthly ?? '');
  if (upTo !== undefined && monthly !== undefined && upTo >= monthly) {
    const message = `${autoApprove?.budget} is as much as a whole month has, so every session is approved. Set less than ${models?.budget?.monthly}.`;
    found.push(warning(`${path}.autoApprove.budget`, message));
  }
  return found;
}

/** Days, with months and years as long as they are on average: only to compare periods. */
const DAYS = { d: 1, w: 7, m: 30.44, y: 365.25 } as const;

function daysOf(period: string): number | undefined {
  const match = /^(\d{1,7})([dwmy])$/.exec(period);
  const unit = match?.[2];
  if (unit !== 'd' && unit !== 'w' && unit !== 'm' && unit !== 'y') return undefined;
  return Number(match?.[1]) * DAYS[unit];
}

function retention(spec: NamespacePolicySpec['retention']): PolicyMistake[] {
  if (spec === undefined) return [];
  const found: PolicyMistake[] = [];
  const days = { sessions: 0, artifacts: 0, auditLogs: 0 };
  for (const name of ['sessions', 'artifacts', 'auditLogs'] as const) {
    const period = spec[name] ?? DEFAULT_RETENTION[name];
    const length = daysOf(period);
    days[name] = length ?? Number.NaN;
    const path = `spec.retention.${name}`;
    if (length === undefined)
      found.push(error(path, `"${period}" is no period. Write a number and d, w, m or y, as 90d.`));
    else if (length === 0) found.push(error(path, `"${period}" keeps nothing. Set at least 1d.`));
  }
  if (days.auditLogs < days.sessions) {
    const message = `audit records go before the sessions they are about. Set at least ${spec.sessions ?? DEFAULT_RETENTION.sessions}.`;
    found.push(error('spec.retention.auditLogs', message));
  }
  if (days.artifacts > days.sessions) {
    const message = `artifacts go with their session, after ${spec.sessions ?? DEFAULT_RETENTION.sessions}. Set at most that, or keep sessions longer.`;
    found.push(warning('spec.retention.artifacts', message));
  }
  return found;
}

const concurrency = (spec: NamespacePolicySpec['concurrency']): PolicyMistake[] =>
  spec?.maxSessions === 0
    ? [warning('spec.concurrency.maxSessions', 'is 0: nothing will run. Set at least 1.')]
    : [];
