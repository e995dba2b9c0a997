/** One thing that a policy forbids, said so that whoever launched it can put it right. */
import { shorten } from '../conditions.ts';
import { formatList, oneLine } from '../wording.ts';

export interface Violation {
  /** Path in the NamespacePolicy; in the Session where it breaks a limit of its own. */
  rule: string;
  /** Path in the Session. */
  field: string;
  /** What stands there, as text. */
  value: string;
  /** What could stand there: globs, values, or a few words. Empty: nothing. */
  allowed: string[];
  /** All of it in one sentence. */
  message: string;
}

export interface Facts {
  rule: string;
  field: string;
  value: unknown;
  allowed: readonly string[];
  /** Goes on after the rule, or with `it` after the value. */
  because: string;
  whose?: string;
}

const SHOWN_MAX = 120;

export function violation({ rule, field, value, allowed, because, whose }: Facts): Violation {
  const shown = shorten(oneLine(textOf(value)), SHOWN_MAX);
  const subject = because.startsWith('it ')
    ? `${because} (${rule} of ${whose ?? "the namespace's policy"})`
    : `${rule} of ${whose ?? "the namespace's policy"} ${because}`;
  const options = allowed.length === 0 ? 'nothing is' : formatList(allowed.map(clean));
  return {
    rule,
    field,
    value: shown,
    allowed: [...allowed],
    message: `${field} is ${typeof value === 'string' ? JSON.stringify(shown) : shown}: ${subject}. Allowed: ${options}.`,
  };
}

const clean = (text: string): string => shorten(oneLine(text), SHOWN_MAX);

/** Without going through all of something huge. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value.slice(0, 2 * SHOWN_MAX);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/** Of several, for a Status or a condition. */
export const violationsText = (violations: readonly Violation[]): string =>
  violations.map(({ message }) => message).join(' ');
