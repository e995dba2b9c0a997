/**
 * What is wrong with a SessionTrigger that its schema takes. An error means that it cannot do what it says, and it then starts
 * nothing; a warning, that it can hardly be meant. Told in its condition Valid, by admission, in `/validate` and in the editor.
 */
import type { Framework } from '../../api/framework.ts';
import { OUTSIDE_FROM_MAX, OUTSIDE_MAX } from '../../api/session.ts';
import type { SessionTriggerSpec } from '../../api/session-trigger.ts';
import { checkConfig } from '../config.ts';
import { error } from '../policy/mistake.ts';
import type { PolicyMistake } from '../policy/mistake.ts';
import { formatList } from '../wording.ts';
import { answerMistakes } from './answer-mistakes.ts';
import { codeMistakes } from './argv.ts';
import { filterMistakes } from './filter-mistakes.ts';
import { holdsPlaceholder, partsOf } from './placeholder.ts';
import { mapStrings } from './strings.ts';
import type { Place } from './strings.ts';

export type TriggerMistake = PolicyMistake;

/** Told of one trigger; a list of thousands helps nobody. */
export const MISTAKES_MAX = 50;

/** @param frameworks of the cluster; undefined where they are not known, and then nothing is said about them */
export function triggerMistakes(
  spec: SessionTriggerSpec,
  frameworks: readonly Framework[] | undefined,
): TriggerMistake[] {
  const found = [
    ...filterMistakes(spec),
    ...templateMistakes(spec),
    ...answerMistakes(spec),
    ...(frameworks === undefined ? [] : frameworkMistakes(spec, frameworks)),
  ];
  return found.slice(0, MISTAKES_MAX);
}

export const hasErrors = (mistakes: readonly TriggerMistake[]): boolean =>
  mistakes.some(({ severity }) => severity === 'error');

export function templateMistakes({ source, session }: SessionTriggerSpec): TriggerMistake[] {
  const found: TriggerMistake[] = [];
  let filled = 0;
  mapStrings(session, (place) => {
    found.push(...ofPlace(place, source));
    if (holdsPlaceholder(place.text)) filled++;
    return place.text;
  });
  // What came from outside is recorded whole, or not let in.
  if (filled > OUTSIDE_MAX)
    found.push(
      error('spec.session', `has ${filled} strings with placeholders; at most ${OUTSIDE_MAX} can be.`),
    );
  return found;
}

function ofPlace({ path, use, text }: Place, source: SessionTriggerSpec['source']): TriggerMistake[] {
  if (!text.includes('{{')) return [];
  const parts = partsOf(text);
  const found = parts.flatMap((part) => (part.kind === 'mistake' ? [error(path, part.message)] : []));
  const placeholders = parts.flatMap((part) => (part.kind === 'placeholder' ? [part.placeholder] : []));
  for (const { root, text: name } of placeholders)
    if (root === 'payload' && CREDENTIALS[source].some((each) => name === each || name === 'payload'))
      found.push(error(path, `{{${name}}} holds a credential of ${source}, which no agent must see.`));
  if (placeholders.length === 0) return found;
  if (placeholders.length > OUTSIDE_FROM_MAX) {
    const message = `has ${placeholders.length} placeholders; at most ${OUTSIDE_FROM_MAX} can be.`;
    found.push(error(path, message));
  }
  if (use === 'fixed')
    found.push(
      error(path, 'is not filled in: an event must not choose it. Write it out, in a trigger each.'),
    );
  if (use === 'item' && parts.length > 1) {
    const message =
      'has a placeholder inside other text. In a list it must be the whole element, so that a value stays one argument.';
    found.push(error(path, message));
  }
  return found;
}

/** With which anybody could answer in the sender's name. */
const CREDENTIALS: Record<SessionTriggerSpec['source'], readonly string[]> = {
  github: [],
  jira: [],
  slack: ['payload.token', 'payload.response_url', 'payload.trigger_id'],
  generic: [],
};

function frameworkMistakes(
  { session }: SessionTriggerSpec,
  frameworks: readonly Framework[],
): TriggerMistake[] {
  const { type, version, config = {} } = session.framework;
  const path = 'spec.session.framework';
  const framework = frameworks.find(({ metadata }) => metadata.name === type);
  if (framework === undefined) {
    const known = frameworks.map(({ metadata }) => metadata.name).sort();
    const has = known.length === 0 ? 'none' : formatList(known);
    return [error(`${path}.type`, `there is no framework "${type}". This cluster has: ${has}.`)];
  }
  const found: TriggerMistake[] = [];
  const versions = framework.spec.versions.map(({ name }) => name);
  if (version !== undefined && !versions.includes(version))
    found.push(
      error(`${path}.version`, `"${type}" has no version "${version}". It has: ${formatList(versions)}.`),
    );
  found.push(...configMistakes(session, framework));
  const isOutside = (text: string): boolean => holdsPlaceholder(text);
  for (const { path: where, message } of codeMistakes(framework.spec.command, config, isOutside))
    found.push(error(where, message));
  return found;
}

/** What the schema has against it, but for values that only an event brings. */
function configMistakes(
  session: SessionTriggerSpec['session'],
  { metadata, spec }: Framework,
): TriggerMistake[] {
  const { config } = session.framework;
  const checked = checkConfig(spec.configSchema, config);
  if (checked.ok) return [];
  const path = 'spec.session.framework.config';
  if (checked.whose === 'framework')
    return [error('spec.session.framework.type', `"${metadata.name}" is not usable: ${checked.message}.`)];
  const filled = new Set<string>();
  mapStrings(session, (place) => {
    if (holdsPlaceholder(place.text)) filled.add(place.path);
    return place.text;
  });
  const isFilled = (field: string): boolean =>
    filled.has(`spec.session.framework.${field.replace(/\.([0-9]+)(?=\.|$)/g, '[$1]')}`);
  if (checked.wrong.every(isFilled)) return [];
  return [error(path, `does not fit framework "${metadata.name}": ${checked.message}.`)];
}

/** For a condition, a warning, a log: the errors first. */
export function mistakesText(mistakes: readonly TriggerMistake[]): string {
  const sorted = mistakes.toSorted((a, b) => rank(a) - rank(b));
  return formatList(
    sorted.map(({ path, message }) => `${path}: ${message}`),
    20,
  );
}

const rank = ({ severity }: TriggerMistake): number => (severity === 'error' ? 0 : 1);
