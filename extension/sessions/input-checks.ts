/** Checks of what people type into the launch form: quickly and in their words; the API server has the last one. Pure. */
import { isSeen } from '../../common/api/display-name.ts';
import { parseQuantity } from '../../common/rules/quantity.ts';
import { formatDuration } from '../../common/rules/wording.ts';
import { isNamespaceName } from '../clusters/pinned.ts';

/** Undefined when all is well, else what is wrong, as validators of input boxes have it. */
export type Check = string | undefined;

export const checkNamespace = (text: string): Check =>
  isNamespaceName(text)
    ? undefined
    : 'A namespace has at most 63 lower-case letters, digits and dashes, and begins and ends with a letter or digit.';

export const checkFrameworkName = (text: string): Check =>
  isNamespaceName(text) ? undefined : 'A framework name has lower-case letters, digits and dashes.';

export function checkDisplayName(text: string): Check {
  if (text.length > 200) return `At most 200 characters; this has ${text.length}.`;
  return isSeen(text) ? undefined : 'There are characters in it that nobody sees. Type it anew.';
}

export const checkQuantity =
  (example: string) =>
  (text: string): Check => {
    if (text === '') return undefined;
    const value = parseQuantity(text);
    if (value === undefined) return `Give a Kubernetes quantity such as ${example}.`;
    return value === 0 ? 'Must be more than zero.' : undefined;
  };

/** The same pattern as the schema's. */
export const checkBudget = (text: string): Check =>
  text.trim() === '' || /^\d{1,9}(\.\d{1,2})?$/.test(text.trim())
    ? undefined
    : 'Give an amount of USD such as 2.50.';

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, min: 60, h: 3600, d: 86400 };
const MAX_TIMEOUT_SECONDS = 604800;

/** Seconds of `90`, `30m`, `1h 30m`, `2 d`; undefined when it is none of these. */
export function parseSeconds(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d+$/.test(trimmed)) return Number(trimmed);
  if (!/^(\d+(\.\d+)?\s*(s|min|m|h|d)\s*)+$/.test(trimmed)) return undefined;
  let seconds = 0;
  for (const [, number, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)\s*(s|min|m|h|d)/g))
    seconds += Number(number) * (UNITS[unit ?? ''] ?? 0);
  return Math.round(seconds);
}

export function checkTimeout(text: string): Check {
  if (text.trim() === '') return undefined;
  const seconds = parseSeconds(text);
  if (seconds === undefined) return 'Give a time such as 30m, 2h or a number of seconds.';
  if (seconds < 1) return 'At least one second.';
  return seconds > MAX_TIMEOUT_SECONDS ? `At most ${formatDuration(MAX_TIMEOUT_SECONDS * 1000)}.` : undefined;
}

/** git@host:path, as people copy it, becomes the ssh:// form that the API takes. */
export const normaliseGitUrl = (text: string): string => {
  const trimmed = text.trim();
  const scp = /^([\w.-]+@[\w.-]+):(?!\/\/)(.+)$/.exec(trimmed);
  return scp === null ? trimmed : `ssh://${scp[1]}/${(scp[2] ?? '').replace(/^\/+/, '')}`;
};

export function checkGitUrl(text: string): Check {
  const url = URL.parse(normaliseGitUrl(text));
  if (url === null || !/^(https?|git|ssh):$/.test(url.protocol) || /\s/.test(text.trim()))
    return 'Give a URL such as https://example.com/team/project.git.';
  if (url.password !== '' || (url.username !== '' && url.protocol !== 'ssh:'))
    return 'Leave credentials out: everyone who may see the session can read this.';
  return undefined;
}

/** The same pattern as the schema's. */
export const checkGitRef = (text: string): Check =>
  text === '' || /^[^-\s~^:?*[\\][^\s~^:?*[\\]*$/.test(text)
    ? undefined
    : 'Give a branch, tag or commit; empty for the default branch.';

/** The same pattern as the schema's. */
export const checkSecretName = (text: string): Check =>
  text.length <= 253 && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(text)
    ? undefined
    : 'Give the name of a Secret: lower-case letters, digits, dashes and dots.';

/** The remote URL of a repository as a suggestion: without credentials, or undefined when it cannot be used. */
export function suggestedGitUrl(remote: string | undefined): string | undefined {
  if (remote === undefined) return undefined;
  const url = URL.parse(normaliseGitUrl(remote));
  if (url === null) return undefined;
  url.password = '';
  if (url.protocol !== 'ssh:') url.username = '';
  return checkGitUrl(url.href) === undefined ? url.href : undefined;
}
