/** The message of a session about which nothing can be decided for now, though nothing is wrong with itself. */
import { AmbientError, isAmbientError } from '../../../common/errors.ts';

const UNRECORDED =
  'Waiting: the audit trail cannot be written, and nothing is decided without a record. An administrator must check the audit store';
const UNSTORED = 'Waiting: what the run left cannot be read or kept';
const MESSAGE_MAX = 1024;

/** Undefined for what passes, or concerns nobody but the operator's administrator. */
export function whyNothingGoesOn(error: unknown): string | undefined {
  const because = (what: string, why: string): string => `${what}: ${why}.`.slice(0, MESSAGE_MAX);
  if (isAmbientError(error, 'audit_unavailable')) return because(UNRECORDED, error.message);
  if (!(error instanceof AmbientError)) return undefined;
  if (error.code !== 'storage_unavailable' && error.code !== 'storage_full') return undefined;
  return because(UNSTORED, `${error.message}. It is tried again until it works`);
}

/** It is over once anything else is known. */
export const isPassing = (message: string | undefined): boolean =>
  message?.startsWith(UNRECORDED) === true || message?.startsWith(UNSTORED) === true;
