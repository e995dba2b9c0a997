/** A session with a real agent as the operator would describe it, by the repository's own Framework and image. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Framework } from '../../../common/api/framework.ts';
import type { NamespacePolicySpec } from '../../../common/api/namespace-policy.ts';
import type { RunDescription } from '../../../common/api/runner.ts';
import type { SessionSpec } from '../../../common/api/session.ts';
import { admit } from '../../../common/rules/admission.ts';
import { effectivePolicy } from '../../../common/rules/policy/effective.ts';
import { narrowedPolicy } from '../../../common/rules/policy/narrow.ts';
import { describeRun } from '../../../operator/controllers/session/run-description.ts';
import { aSession } from '../fixtures.ts';
import { runIsolatedSession } from './isolated.ts';
import type { SessionPlan, SessionRun } from './isolated.ts';

/** The agent's key to models. */
export const AGENT_TOKEN = 'the-token-for-models';
const manifests = join(import.meta.dirname, '../../../manifests/frameworks');

export interface AgentSession extends Pick<SessionPlan, 'answers' | 'said' | 'resumed'> {
  framework: string;
  /** What frameworkContext made. */
  image: string;
  config: Record<string, unknown>;
  spec?: Partial<SessionSpec>;
  policy?: NamespacePolicySpec;
  /** In the workspace. */
  files?: Record<string, string>;
}

export async function runAgentSession({
  framework: name,
  image,
  config,
  spec = {},
  policy = {},
  files = {},
  ...plan
}: AgentSession): Promise<SessionRun> {
  const framework = parse(await readFile(join(manifests, `${name}.yaml`), 'utf8')) as Framework;
  const session = aSession().of(name, config).spec(spec).build();
  const admission = admit(session.spec, 1, [framework]);
  assert.ok(admission.accepted, admission.accepted ? '' : admission.message);
  const endpoint = { url: 'https://not-used', ca: '' };
  const narrowed = narrowedPolicy(session.spec, effectivePolicy(policy));
  const {
    command,
    endpoint: _,
    ...description
  }: RunDescription = describeRun(session, admission.plan, endpoint, narrowed);
  const inImage = command.map((part) => part.replace(/^\/runner\//, `${image}/runner/`));
  const run = await runIsolatedSession({ ...plan, token: AGENT_TOKEN, command: inImage, description, files });
  assert.deepEqual([run.violations, run.stderr], [[], run.stderr]);
  return run;
}
