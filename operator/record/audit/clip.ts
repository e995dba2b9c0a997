/** What goes into a record is bounded: details come from requests and agents, and must not fill the store. */
import type { AuditEvent } from '../../../common/api/audit.ts';
import { canonicalJson } from '../../../common/rules/audit-chain.ts';

const TEXT_MAX = 256;
const ITEMS_MAX = 50;
const DEPTH_MAX = 4;
/** Characters of all details as JSON. */
const DETAILS_MAX = 8192;
/** As Kubernetes and the schema of status allow for a user. */
const ACTOR_MAX = 512;

export function clipped(event: AuditEvent): AuditEvent {
  const details = event.details === undefined ? undefined : (clip(event.details, 0) as object);
  const isTooMuch = details !== undefined && canonicalJson(details).length > DETAILS_MAX;
  return {
    ...event,
    actor: event.actor.slice(0, ACTOR_MAX),
    ...(details === undefined ? {} : { details: isTooMuch ? { clipped: true } : { ...details } }),
  };
}

function clip(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return value.length > TEXT_MAX ? `${value.slice(0, TEXT_MAX)}…` : value;
    case 'number':
    case 'boolean':
    case 'undefined':
      return value;
    case 'object':
      break;
    default:
      return String(value);
  }
  if (value === null) return value;
  if (depth >= DEPTH_MAX) return '…';
  if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).map((each) => clip(each, depth + 1) ?? null);
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, ITEMS_MAX)
      .map(([key, each]) => [key.slice(0, TEXT_MAX), clip(each, depth + 1)]),
  );
}
