/** What admission costs: the same create with and without webhooks, under many policies; and the evaluator alone. */
import { POLICY_NAME } from '../../common/api/names.ts';
import type { NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import type { Session } from '../../common/api/session.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { namespacePolicies, sessions } from '../../common/kube/resource.ts';
import { effectivePolicy } from '../../common/rules/policy/effective.ts';
import { evaluate } from '../../common/rules/policy/evaluate.ts';
import { admissionAnswers, applyAdmission } from '../support/admission.ts';
import { aPolicy } from '../support/fixtures.ts';
import { percentile, pool, round } from './measure.ts';
import type { Figure, Section } from './measure.ts';
import { FRAMEWORK, openPlant } from './plant.ts';
import { CONNECTIONS, createNamespace, sessionOf } from './sessions.ts';

const POLICIES = 1000;
const SAMPLES = 300;
const WARM_UP = 30;
const EVALUATIONS = 200_000;

const SPEC: NamespacePolicySpec = {
  models: {
    allowed: Array.from({ length: 20 }, (_, index) => `vendor-${index}-*`),
    blocked: ['*-preview', 'vendor-7-*'],
    budget: { monthly: '100.00' },
  },
  tools: { allowed: ['Read', 'Edit', 'mcp__*'], blocked: ['mcp__shell*'] },
};

export const admission: Section = {
  name: 'admission',
  async run(log) {
    const evaluator = evaluations();
    const opened = await openPlant(log);
    if (typeof opened === 'string') return [evaluator];
    await using plant = opened;
    const { client, cluster } = plant;
    const names = Array.from({ length: POLICIES }, (_, index) => `bench-admission-${index}`);
    log(`${POLICIES} namespaces with a policy each`);
    await pool(POLICIES, CONNECTIONS, async (index) => {
      const namespace = names[index] ?? '';
      await createNamespace(client, namespace);
      const { apiVersion, kind } = aPolicy(namespace);
      await client.create(namespacePolicies, {
        apiVersion,
        kind: kind,
        metadata: { name: POLICY_NAME, namespace },
        spec: SPEC,
      });
    });
    await using operator = await plant.startOperator();
    const without = await creations(client, names);
    const url = `https://${cluster.nodeHostAddress}:${operator.ports.admission}/`;
    await using _webhooks = await applyAdmission(cluster, url);
    await admissionAnswers(cluster);
    const withThem = await creations(client, names);
    const figure = (name: string, times: number[], p: number): Figure => ({
      name: `${name}, p${p}`,
      value: round(percentile(times, p)),
      unit: 'ms',
    });
    return [
      evaluator,
      figure('create of a session without webhooks', without, 50),
      figure('create of a session without webhooks', without, 99),
      figure(`the same with admission, ${POLICIES} policies`, withThem, 50),
      figure(`the same with admission, ${POLICIES} policies`, withThem, 99),
    ];
  },
};

const asking = (namespace: string): Session => {
  const session = sessionOf(namespace, FRAMEWORK);
  session.spec.framework.config = { command: 'true', model: 'vendor-19-large', tools: ['Read', 'mcp__git'] };
  return session;
};

/** One after the other, on dry run: admission alone, without sessions that the controller would go on with. */
async function creations(client: KubeClient, namespaces: readonly string[]): Promise<number[]> {
  const times: number[] = [];
  for (let sample = -WARM_UP; sample < SAMPLES; sample++) {
    const namespace = namespaces[(sample + WARM_UP) % namespaces.length] ?? '';
    const from = performance.now();
    await client.create(sessions, asking(namespace), { dryRun: true });
    if (sample >= 0) times.push(performance.now() - from);
  }
  return times;
}

function evaluations(): Figure {
  const policy = effectivePolicy(SPEC);
  const { spec } = asking('any');
  for (let index = 0; index < EVALUATIONS / 10; index++) evaluate(spec, policy);
  const from = performance.now();
  for (let index = 0; index < EVALUATIONS; index++) evaluate(spec, policy);
  const value = Math.round(EVALUATIONS / ((performance.now() - from) / 1000));
  return { name: 'evaluations of a session against a policy', value, unit: '1/s' };
}
