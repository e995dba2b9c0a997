/**
 * What a namespace's policy comes to with every default applied: what all rules, doors and controllers decide by, so that
 * nobody reads the object itself. The defaults of a namespace without a policy are these too.
 */
import { DEFAULT_MAX_SESSIONS, DEFAULT_SESSION_BUDGET } from '../../api/namespace-policy.ts';
import type {
  EgressRule,
  ModelPrice,
  ModelProviderAccess,
  NamespacePolicySpec,
  PullRequestAccess,
  WHEN_SPENT,
} from '../../api/namespace-policy.ts';
import type { TRIGGER_SOURCES } from '../../api/session.ts';
import { parseMoney, smaller, ZERO } from '../money.ts';
import type { Money } from '../money.ts';

/** Globs. `allowed` undefined allows everything that is not blocked. */
export interface NameRules {
  allowed: readonly string[] | undefined;
  blocked: readonly string[];
}

export interface Restrictions {
  /** No network but what the operator itself provides. */
  network: boolean;
  /** Writes only below the workspace, the artifacts and temporary files. */
  fileSystem: boolean;
  /** The agent may not execute commands. */
  execution: boolean;
}

export const NO_RESTRICTIONS: Restrictions = { network: false, fileSystem: false, execution: false };

export interface EffectivePolicy {
  frameworks: NameRules;
  models: NameRules;
  tools: NameRules;
  restrictions: Restrictions;
  /** What sessions reach besides the operator and DNS; undefined: what the operator opens to all. */
  egress: readonly EgressRule[] | undefined;
  /** RuntimeClasses: of sessions that name none (undefined: the nodes' own runtime), and globs of those that may be named. */
  runtimeClasses: { default: string | undefined; allowed: readonly string[] };
  /** Globs of PersistentVolumeClaims that may be inputs. */
  claims: readonly string[];
  /** Globs of branches that results may be pushed to, and by whom pull requests are opened; undefined: by nobody. */
  results: { branches: readonly string[]; pullRequests: PullRequestAccess | undefined };
  /** Undefined: no limit per month, and sessions have only limits of their own. */
  budget: { monthly: Money; resetDay: number; perSession: Money } | undefined;
  approval: {
    required: boolean;
    /** Users or groups; empty: whoever RBAC lets. */
    approvers: readonly string[];
    allowSelfApproval: boolean;
    autoApprove: { triggers: readonly (typeof TRIGGER_SOURCES)[number][]; budget: Money | undefined };
  };
  /** How models are reached, at what price, and what a spent budget does. */
  gateway: {
    providers: readonly ModelProviderAccess[];
    prices: readonly ModelPrice[];
    whenSpent: (typeof WHEN_SPENT)[number];
    logPrompts: boolean;
  };
  maxSessions: number;
  retention: { sessions: string; artifacts: string; auditLogs: string };
}

export const DEFAULT_RETENTION = { sessions: '90d', artifacts: '30d', auditLogs: '7y' } as const;

/** Of a policy as the API server stores it, or of a namespace without one. */
export function effectivePolicy(spec: NamespacePolicySpec | undefined): EffectivePolicy {
  const { frameworks, models, tools, isolation, approval, retention, concurrency } = spec ?? {};
  return {
    frameworks: { allowed: frameworks?.allowed, blocked: frameworks?.blocked ?? [] },
    models: { allowed: models?.allowed, blocked: models?.blocked ?? [] },
    tools: { allowed: tools?.allowed, blocked: tools?.blocked ?? [] },
    restrictions: {
      network: tools?.restrictions?.network ?? false,
      fileSystem: tools?.restrictions?.fileSystem ?? false,
      execution: tools?.restrictions?.execution ?? false,
    },
    egress: spec?.network?.egress,
    runtimeClasses: {
      default: isolation?.runtimeClasses?.default,
      allowed: [isolation?.runtimeClasses?.default ?? [], isolation?.runtimeClasses?.allowed ?? []].flat(),
    },
    claims: spec?.inputs?.claims ?? [],
    results: {
      branches: spec?.results?.branches ?? [],
      pullRequests: spec?.results?.pullRequests,
    },
    budget: budgetOf(models?.budget),
    approval: {
      required: approval?.required ?? false,
      approvers: approval?.approvers ?? [],
      allowSelfApproval: approval?.allowSelfApproval ?? false,
      autoApprove: {
        triggers: approval?.autoApprove?.triggers ?? [],
        budget: parseMoney(approval?.autoApprove?.budget ?? ''),
      },
    },
    gateway: {
      providers: models?.providers ?? [],
      prices: models?.prices ?? [],
      whenSpent: models?.whenSpent ?? 'stop',
      logPrompts: models?.logPrompts ?? false,
    },
    maxSessions: concurrency?.maxSessions ?? DEFAULT_MAX_SESSIONS,
    retention: {
      sessions: retention?.sessions ?? DEFAULT_RETENTION.sessions,
      artifacts: retention?.artifacts ?? DEFAULT_RETENTION.artifacts,
      auditLogs: retention?.auditLogs ?? DEFAULT_RETENTION.auditLogs,
    },
  };
}

type BudgetSpec = NonNullable<NamespacePolicySpec['models']>['budget'];

function budgetOf(spec: BudgetSpec): EffectivePolicy['budget'] {
  if (spec === undefined) return undefined;
  // What cannot be read would have been refused by the schema; nothing is the safe reading of it.
  const monthly = parseMoney(spec.monthly) ?? ZERO;
  const perSession = parseMoney(spec.perSession ?? DEFAULT_SESSION_BUDGET) ?? ZERO;
  return { monthly, resetDay: spec.resetDay ?? 1, perSession: smaller(perSession, monthly) };
}
