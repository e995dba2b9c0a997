import assert from 'node:assert/strict';
import type { EgressRule } from '../../../../common/api/namespace-policy.ts';
import { NO_RESTRICTIONS } from '../../../../common/rules/policy/effective.ts';
import { runnerNetworkPolicy } from '../../../../operator/controllers/runner-network.ts';

const network = {
  operator: { namespace: 'ambient-system', port: 8444 },
  url: 'https://ambient-operator.ambient-system.svc:8444',
  open: ['0.0.0.0/0', '::/0'],
  closed: [],
};
const restricted = { restrictions: { ...NO_RESTRICTIONS, network: true }, egress: undefined };
const free = { restrictions: NO_RESTRICTIONS, egress: undefined };
const opening = (...egress: EgressRule[]) => ({ ...free, egress });
const dns = {
  to: [
    {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
      podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
    },
  ],
  ports: [
    { protocol: 'UDP', port: 53 },
    { protocol: 'TCP', port: 53 },
  ],
};
const reports = {
  to: [
    {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ambient-system' } },
      podSelector: { matchLabels: { 'app.kubernetes.io/name': 'ambient-operator' } },
    },
  ],
  ports: [{ protocol: 'TCP', port: 8444 }],
};

describe('the network of runner pods', () => {
  it('is closed but for DNS and the operator where policy restricts it', () => {
    const { metadata, spec } = runnerNetworkPolicy('team-a', restricted, network);
    assert.deepEqual(metadata, {
      name: 'ambient-runner',
      namespace: 'team-a',
      labels: { 'app.kubernetes.io/managed-by': 'ambient-operator' },
    });
    assert.deepEqual(spec, {
      podSelector: {
        matchLabels: { 'app.kubernetes.io/managed-by': 'ambient-operator' },
        matchExpressions: [{ key: 'ambient.ai/session-uid', operator: 'Exists' }],
      },
      policyTypes: ['Ingress', 'Egress'],
      egress: [dns, reports],
    });
  });

  it('leads outside otherwise, but never to metadata services', () => {
    const { spec } = runnerNetworkPolicy('team-a', free, network);
    assert.equal(spec.ingress, undefined);
    assert.deepEqual(spec.egress, [
      dns,
      reports,
      {
        to: [
          {
            ipBlock: {
              cidr: '0.0.0.0/0',
              except: ['169.254.0.0/16', '100.100.100.200/32', '168.63.129.16/32'],
            },
          },
          { ipBlock: { cidr: '::/0', except: ['fe80::/10', 'fd00:ec2::254/128'] } },
        ],
      },
    ]);
  });

  it('leads to no CIDR that whoever runs the cluster has closed', () => {
    const closed = ['10.0.0.0/8', 'fd00::/8', '169.254.0.0/16'];
    const [v4, v6] =
      runnerNetworkPolicy('team-a', free, { ...network, closed }).spec.egress?.at(-1)?.to ?? [];
    assert.deepEqual(v4?.ipBlock?.except, [
      '169.254.0.0/16',
      '100.100.100.200/32',
      '168.63.129.16/32',
      '10.0.0.0/8',
    ]);
    assert.deepEqual(v6?.ipBlock?.except, ['fe80::/10', 'fd00:ec2::254/128', 'fd00::/8']);
  });

  it('leads to what the policy opens and nowhere else', () => {
    const { spec } = runnerNetworkPolicy(
      'team-a',
      opening(
        { cidr: '192.0.2.0/24', except: ['192.0.2.128/25'], ports: [{ port: 443 }] },
        { cidr: '2001:db8::/32', ports: [{ port: 8000, endPort: 8999, protocol: 'UDP' }] },
        { cidr: '198.51.100.7/32' },
      ),
      network,
    );
    assert.deepEqual(spec.egress, [
      dns,
      reports,
      {
        to: [{ ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.128/25'] } }],
        ports: [{ protocol: 'TCP', port: 443 }],
      },
      {
        to: [{ ipBlock: { cidr: '2001:db8::/32' } }],
        ports: [{ protocol: 'UDP', port: 8000, endPort: 8999 }],
      },
      { to: [{ ipBlock: { cidr: '198.51.100.7/32' } }] },
    ]);
  });

  it('leads nowhere else where nothing is opened, or only what is closed', () => {
    const closed = ['10.96.0.1/32'];
    for (const policy of [
      opening(),
      opening({ cidr: '169.254.169.254/32' }, { cidr: '10.96.0.1/32' }),
      { ...restricted, egress: [{ cidr: '192.0.2.0/24' }] },
    ])
      assert.deepEqual(runnerNetworkPolicy('team-a', policy, { ...network, closed }).spec.egress, [
        dns,
        reports,
      ]);
    assert.deepEqual(runnerNetworkPolicy('team-a', free, { ...network, open: [] }).spec.egress, [
      dns,
      reports,
    ]);
  });

  it('leads to an operator outside the cluster by its address alone', () => {
    const at = (url: string) =>
      runnerNetworkPolicy('team-a', restricted, { ...network, url }).spec.egress?.slice(2);
    assert.deepEqual(at('https://192.0.2.7:9000'), [
      { to: [{ ipBlock: { cidr: '192.0.2.7/32' } }], ports: [{ protocol: 'TCP', port: 9000 }] },
    ]);
    assert.deepEqual(at('https://[2001:db8::7]'), [
      { to: [{ ipBlock: { cidr: '2001:db8::7/128' } }], ports: [{ protocol: 'TCP', port: 443 }] },
    ]);
    assert.deepEqual(at('https://operator.example.org'), []);
  });
});
