/** Kubernetes' questions about rights and identities: who is this token, and what may they do. */
import type { Connection } from './connection.ts';

export interface ResourceAttributes {
  verb: string;
  /** '' for the core group, '*' for any. */
  group: string;
  resource: string;
  subresource?: string;
  /** '' or absent: cluster-scoped, or all namespaces. */
  namespace?: string;
  name?: string;
}

export interface AccessDecision {
  allowed: boolean;
  reason?: string;
}

export interface Subject {
  user: string;
  groups?: readonly string[];
  uid?: string;
  extra?: Record<string, string[]>;
}

export interface ResourceRule {
  verbs: string[];
  apiGroups?: string[];
  /** `pods`, `pods/log`, `*`, or any resource's subresource: `*` and `/log`. */
  resources?: string[];
  /** Absent or empty: all names. */
  resourceNames?: string[];
}

export interface SubjectRules {
  resourceRules: ResourceRule[];
  nonResourceRules: { verbs: string[]; nonResourceURLs?: string[] }[];
  /** The list may lack rights: an authorizer (a webhook, say) cannot enumerate them. */
  incomplete: boolean;
}

export interface TokenOwner {
  authenticated: boolean;
  user?: { username?: string; uid?: string; groups?: string[]; extra?: Record<string, string[]> };
  /** Those asked for that the token is good for. */
  audiences?: string[];
  error?: string;
}

interface CallOptions {
  signal?: AbortSignal | undefined;
}

const AUTHORIZATION = 'authorization.k8s.io/v1';

async function review<S>(
  connection: Connection,
  apiVersion: string,
  kind: string,
  spec: object,
  { signal }: CallOptions,
): Promise<S> {
  const { status } = await connection.json<{ status: S }>(`/apis/${apiVersion}/${kind.toLowerCase()}s`, {
    method: 'POST',
    body: { apiVersion, kind, spec },
    signal,
  });
  return status;
}

export const selfSubjectAccessReview = (
  connection: Connection,
  resourceAttributes: ResourceAttributes,
  options: CallOptions = {},
): Promise<AccessDecision> =>
  review(connection, AUTHORIZATION, 'SelfSubjectAccessReview', { resourceAttributes }, options);

export const subjectAccessReview = (
  connection: Connection,
  subject: Subject,
  resourceAttributes: ResourceAttributes,
  options: CallOptions = {},
): Promise<AccessDecision> =>
  review(connection, AUTHORIZATION, 'SubjectAccessReview', { ...subject, resourceAttributes }, options);

export const selfSubjectRulesReview = (
  connection: Connection,
  namespace: string,
  options: CallOptions = {},
): Promise<SubjectRules> =>
  review(connection, AUTHORIZATION, 'SelfSubjectRulesReview', { namespace }, options);

export const tokenReview = (
  connection: Connection,
  token: string,
  audiences: readonly string[],
  options: CallOptions = {},
): Promise<TokenOwner> =>
  review(connection, 'authentication.k8s.io/v1', 'TokenReview', { token, audiences }, options);

/** Who the API server takes the caller for. Every authenticated user may ask; served since Kubernetes 1.28. */
export async function selfSubjectReview(
  connection: Connection,
  options: CallOptions = {},
): Promise<{ username: string; groups: string[] }> {
  const { userInfo } = await review<{ userInfo: { username?: string; groups?: string[] } }>(
    connection,
    'authentication.k8s.io/v1',
    'SelfSubjectReview',
    {},
    options,
  );
  return { username: userInfo.username ?? '', groups: userInfo.groups ?? [] };
}

/** Whether enumerated rules grant something. False may also mean `incomplete`: then only an access review knows. */
export function rulesAllow(rules: SubjectRules, wanted: Omit<ResourceAttributes, 'namespace'>): boolean {
  const resource =
    wanted.subresource === undefined ? wanted.resource : `${wanted.resource}/${wanted.subresource}`;
  return rules.resourceRules.some(
    (rule) =>
      holds(rule.verbs, wanted.verb) &&
      holds(rule.apiGroups ?? [], wanted.group) &&
      (holds(rule.resources ?? [], resource) ||
        (wanted.subresource !== undefined && (rule.resources ?? []).includes(`*/${wanted.subresource}`))) &&
      (rule.resourceNames === undefined ||
        rule.resourceNames.length === 0 ||
        (wanted.name !== undefined && rule.resourceNames.includes(wanted.name))),
  );
}

const holds = (list: readonly string[], value: string): boolean => list.includes('*') || list.includes(value);
