/** What was answered to a test event, in words. Pure; the words of the answer are as they came. */

export interface TestAnswer {
  status: number;
  /** Parsed where it is JSON. */
  body: unknown;
}

/** What became of the event, in a sentence or two. */
export function answerText({ status, body }: TestAnswer, isDryRun: boolean): string {
  const message = textAt(body, 'message');
  if (textAt(body, 'error') !== '')
    return `The test event was refused (${status}): ${sentence(message)} ${textAt(valueAt(body, 'details'), 'remedy')}`.trimEnd();
  const session = textAt(body, 'sessionId');
  if (session !== '')
    return `The test event was accepted: session ${session} in ${textAt(body, 'namespace')}.${refusedOf(body)}`;
  if (isDryRun && valueAt(body, 'valid') === true) {
    const framework = textAt(body, 'framework');
    return framework === ''
      ? sentence(`The test event was heard, and would start nothing${firstOf(body, 'warnings')}`)
      : `The test event would start ${startOf(body, framework)}.${refusedOf(body)}`;
  }
  if (textAt(body, 'status') !== '')
    return sentence(`The test event was heard, and starts nothing${firstOf(body, 'reasons')}`);
  return `The test event was answered with ${status}, but not by the operator's REST API. Check the address, and what stands in front of it.`;
}

function startOf(body: unknown, framework: string): string {
  const { length } = listAt(body, 'sessions');
  return length > 1
    ? `${length} sessions, the first of framework ${framework}`
    : `a session of framework ${framework}`;
}

/** Of several triggers, those whose sessions policy forbids. */
function refusedOf(body: unknown): string {
  const refused = listAt(body, 'refused').map((each) => textAt(each, 'trigger'));
  if (refused.length === 0) return '';
  return ` Policy forbids what ${refused.length > 1 ? 'these triggers' : 'this trigger'} would start: ${refused.join(', ')}.`;
}

const valueAt = (body: unknown, name: string): unknown => Reflect.get(Object(body) as object, name);

function textAt(body: unknown, name: string): string {
  const value = valueAt(body, name);
  return typeof value === 'string' ? value : '';
}

function listAt(body: unknown, name: string): unknown[] {
  const value = valueAt(body, name);
  return Array.isArray(value) ? value : [];
}

function firstOf(body: unknown, name: string): string {
  const [first] = listAt(body, name);
  return typeof first === 'string' ? `: ${first}` : '';
}

const sentence = (text: string): string => (/[.!?…]$/.test(text) ? text : `${text}.`);
