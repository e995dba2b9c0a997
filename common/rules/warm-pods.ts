/** Pods kept ready for sessions: what a policy's wish comes to, and how many to make and to take away. Pure. */
import type { Framework } from '../api/framework.ts';
import { planOf } from './admission.ts';
import type { RunPlan } from './admission.ts';
import { configNameOf } from './command.ts';
import type { EffectivePolicy } from './policy/effective.ts';
import { evaluate } from './policy/evaluate.ts';
import { violationsText } from './policy/violation.ts';

/** What a namespace wants kept ready. */
export interface WarmWish {
  framework: string;
  /** Absent: the framework's first. */
  version?: string;
  count: number;
}

/** From then on a successor is made: an image's tag may mean another image by now, and tokens grow old. */
export const WARM_AGE_MS = 3600_000;
/** So much older may one become while its successor gets ready. */
export const WARM_OVERLAP_MS = 600_000;

/** The plan of a session that says nothing but its framework, or why none of its pods can be kept ready. */
export function warmPlan(
  { framework: name, version: wanted }: WarmWish,
  frameworks: readonly Framework[],
  policy: EffectivePolicy,
): { plan: RunPlan } | { message: string } {
  const framework = frameworks.find(({ metadata }) => metadata.name === name);
  if (framework === undefined) return { message: `There is no framework "${name}".` };
  const { versions, sidecar } = framework.spec;
  const version = wanted === undefined ? versions[0] : versions.find((one) => one.name === wanted);
  if (version === undefined) return { message: `Framework "${name}" has no version "${wanted}".` };
  if (sidecar !== undefined)
    return {
      message: `Pods of framework "${name}" cannot be kept ready: its images have no runner, so that their command stands in the pod from the start.`,
    };
  if (configNameOf(version.image) !== undefined)
    return {
      message: `Pods of framework "${name}" cannot be kept ready: each session chooses its own image.`,
    };
  const plan = planOf(framework, version);
  const { violations } = evaluate({ framework: { type: name } }, policy, plan.executes);
  return violations.length > 0 ? { message: violationsText(violations) } : { plan };
}

/** Of one template, and no session's. */
export interface KeptPod {
  name: string;
  ageMs: number;
  state: 'starting' | 'ready' | 'over';
}

/** Never more than `wanted` and those that are being replaced; one that is old stays until its successor is ready. */
export function tend(pods: readonly KeptPod[], wanted: number): { make: number; remove: string[] } {
  const alive = pods.filter(({ state }) => state !== 'over');
  const youngestFirst = alive.toSorted((a, b) => a.ageMs - b.ageMs || (a.name < b.name ? -1 : 1));
  const fresh = youngestFirst.filter(({ ageMs }) => ageMs < WARM_AGE_MS);
  // What is ready is worth more than what is not.
  const best = [
    ...fresh.filter(({ state }) => state === 'ready'),
    ...fresh.filter(({ state }) => state === 'starting').toReversed(),
  ];
  const kept = best.slice(0, wanted);
  const missing = wanted - kept.filter(({ state }) => state === 'ready').length;
  const bridging = youngestFirst
    .filter(
      ({ state, ageMs }) =>
        state === 'ready' && ageMs >= WARM_AGE_MS && ageMs < WARM_AGE_MS + WARM_OVERLAP_MS,
    )
    .slice(0, missing);
  const stays = new Set([...kept, ...bridging].map(({ name }) => name));
  return {
    make: wanted - kept.length,
    remove: pods.filter(({ name }) => !stays.has(name)).map(({ name }) => name),
  };
}
