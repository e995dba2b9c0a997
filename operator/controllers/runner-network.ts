/** The NetworkPolicy of runner pods: nobody reaches them, and they reach what they need. Built the same from the same facts. */
import { isIP } from 'node:net';
import {
  LABEL_MANAGED_BY,
  LABEL_SESSION_UID,
  MANAGED_BY,
  OPERATOR_NAME,
  RUNNER_NETWORK_POLICY,
} from '../../common/api/names.ts';
import type { NetworkPolicy, NetworkPolicyPeer } from '../../common/kube/core-types.ts';

export interface RunnerNetworkOptions {
  /** Where the operator runs, and the port its pods take reports on. */
  operator: { namespace: string; port: number };
  /** What runners are told to report to; an address in it is opened too, as the operator may run outside the cluster. */
  url: string;
  /** CIDRs that runners do not reach, besides ALWAYS_CLOSED. */
  closed: readonly string[];
}

/**
 * What answers there gives away the node's identity and keys: link-local addresses with the metadata services of most clouds,
 * and those that lie elsewhere (AWS over IPv6, Alibaba Cloud, Azure's host).
 */
export const ALWAYS_CLOSED = [
  '169.254.0.0/16',
  'fe80::/10',
  'fd00:ec2::254/128',
  '100.100.100.200/32',
  '168.63.129.16/32',
] as const;

const NAMESPACE_NAME = 'kubernetes.io/metadata.name';
const DNS_PORT = 53;

/** @param isRestricted policy.restrictions.network: nothing but the operator, and DNS to find it */
export function runnerNetworkPolicy(
  namespace: string,
  isRestricted: boolean,
  { operator, url, closed }: RunnerNetworkOptions,
): NetworkPolicy {
  const inNamespace = (name: string, labels: Record<string, string>): NetworkPolicyPeer => ({
    namespaceSelector: { matchLabels: { [NAMESPACE_NAME]: name } },
    podSelector: { matchLabels: labels },
  });
  const tcp = (port: number) => [{ protocol: 'TCP' as const, port }];
  const { hostname, port } = new URL(url);
  const address = hostname.replace(/^\[|\]$/g, '');
  const egress: NonNullable<NetworkPolicy['spec']['egress']> = [
    {
      to: [inNamespace('kube-system', { 'k8s-app': 'kube-dns' })],
      ports: [
        { protocol: 'UDP', port: DNS_PORT },
        { protocol: 'TCP', port: DNS_PORT },
      ],
    },
    {
      to: [inNamespace(operator.namespace, { 'app.kubernetes.io/name': OPERATOR_NAME })],
      ports: tcp(operator.port),
    },
  ];
  const family = isIP(address);
  if (family !== 0)
    egress.push({
      to: [{ ipBlock: { cidr: `${address}/${family === 4 ? 32 : 128}` } }],
      ports: tcp(Number(port || '443')),
    });
  if (!isRestricted) egress.push({ to: outside(closed) });
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: RUNNER_NETWORK_POLICY, namespace, labels: { [LABEL_MANAGED_BY]: MANAGED_BY } },
    spec: {
      podSelector: {
        matchLabels: { [LABEL_MANAGED_BY]: MANAGED_BY },
        matchExpressions: [{ key: LABEL_SESSION_UID, operator: 'Exists' }],
      },
      // Ingress without a rule for it: nothing comes in.
      policyTypes: ['Ingress', 'Egress'],
      egress,
    },
  };
}

function outside(closed: readonly string[]): NetworkPolicyPeer[] {
  const all = [...new Set([...ALWAYS_CLOSED, ...closed])];
  const block = (cidr: string, except: string[]): NetworkPolicyPeer => ({ ipBlock: { cidr, except } });
  return [
    block(
      '0.0.0.0/0',
      all.filter((each) => !each.includes(':')),
    ),
    block(
      '::/0',
      all.filter((each) => each.includes(':')),
    ),
  ];
}
