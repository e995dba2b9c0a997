/**
 * Where an event came from, as far as it can be answered there. What the sender wrote becomes part of an address, so only what
 * such a name can be is taken.
 */
import type { SessionSpec } from '../../api/session.ts';
import type { TriggerEvent } from './event.ts';

export type Origin = NonNullable<NonNullable<SessionSpec['trigger']>['origin']>;

const NAMES: Partial<Record<TriggerEvent['source'], Partial<Record<keyof Origin, RegExp>>>> = {
  github: {
    // No segment of dots alone: it would lead out of the path.
    repository: /^(?!\.)[A-Za-z0-9._-]{1,100}\/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$/,
    number: /^[1-9][0-9]{0,9}$/,
    commit: /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/,
  },
  jira: { number: /^[A-Z][A-Z0-9_]{0,30}-[1-9][0-9]{0,9}$/ },
  slack: { repository: /^[A-Z][A-Z0-9]{4,29}$/, number: /^[0-9]{5,12}\.[0-9]{1,8}$/ },
};

/** Undefined for a source that cannot be answered, or an event that is about nothing. */
export function originOf(event: TriggerEvent): Origin | undefined {
  const names = NAMES[event.source];
  const origin: Origin = {};
  for (const name of ['repository', 'number', 'commit'] as const) {
    const value = event[name];
    if (value !== undefined && names?.[name]?.test(value) === true) origin[name] = value;
  }
  return Object.keys(origin).length === 0 ? undefined : origin;
}
