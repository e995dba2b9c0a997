/** The NetworkPolicy of runner pods: nobody reaches them, and they reach what they need. Built the same from the same facts. */
import { isIP } from 'node:net';
import type { EgressRule } from '../../common/api/namespace-policy.ts';
import {
  LABEL_MANAGED_BY,
  LABEL_SESSION_UID,
  MANAGED_BY,
  OPERATOR_NAME,
  RUNNER_NETWORK_POLICY,
} from '../../common/api/names.ts';
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../common/kube/core-types.ts';
import { openBlock } from '../../common/rules/egress.ts';
import type { EffectivePolicy } from '../../common/rules/policy/effective.ts';

export interface RunnerNetworkOptions {
  /** Where the operator runs, and the port its pods take reports on. */
  operator: { namespace: string; port: number };
  /** What runners are told to report to; an address in it is opened too, as the operator may run outside the cluster. */
  url: string;
  /** CIDRs that runners reach where their policy opens none. */
  open: readonly string[];
  /** CIDRs that runners do not reach whatever is opened, besides ALWAYS_CLOSED: the API server's, and what the administrator names. */
  closed: readonly string[];
}

type Egress = NonNullable<NetworkPolicy['spec']['egress']>;

const NAMESPACE_NAME = 'kubernetes.io/metadata.name';
const DNS_PORT = 53;

/** What the policy opens, or where it opens nothing the operator; with restrictions.network nothing but the operator and DNS. */
export function runnerNetworkPolicy(
  namespace: string,
  { restrictions, egress: rules }: Pick<EffectivePolicy, 'restrictions' | 'egress'>,
  { operator, url, open, closed }: RunnerNetworkOptions,
): NetworkPolicy {
  const inNamespace = (name: string, labels: Record<string, string>): NetworkPolicyPeer => ({
    namespaceSelector: { matchLabels: { [NAMESPACE_NAME]: name } },
    podSelector: { matchLabels: labels },
  });
  const tcp = (port: number) => [{ protocol: 'TCP' as const, port }];
  const { hostname, port } = new URL(url);
  const address = hostname.replace(/^\[|\]$/g, '');
  const egress: Egress = [
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
  if (!restrictions.network)
    egress.push(...(rules === undefined ? outside(open, closed) : opened(rules, closed)));
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

function outside(open: readonly string[], closed: readonly string[]): Egress {
  const to = open.flatMap((cidr) => peers(cidr, [], closed));
  return to.length === 0 ? [] : [{ to }];
}

const opened = (rules: readonly EgressRule[], closed: readonly string[]): Egress =>
  rules.flatMap(({ cidr, except = [], ports = [] }) => {
    const to = peers(cidr, except, closed);
    // A rule that leads nowhere would be one that leads everywhere.
    return to.length === 0 ? [] : [{ to, ...(ports.length === 0 ? {} : { ports: ports.map(portOf) }) }];
  });

function peers(cidr: string, except: readonly string[], closed: readonly string[]): NetworkPolicyPeer[] {
  const ipBlock = openBlock(cidr, except, closed);
  return ipBlock === undefined ? [] : [{ ipBlock }];
}

const portOf = ({
  protocol = 'TCP',
  port,
  endPort,
}: NonNullable<EgressRule['ports']>[number]): NetworkPolicyPort => ({
  protocol,
  port,
  ...(endPort === undefined ? {} : { endPort }),
});
