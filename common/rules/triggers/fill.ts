/**
 * The session that a trigger makes of an event. Values go in as data: the template is read once, and what was put in is never
 * read again. Where an agent reads it, a value stands between tags that mark it as from outside (./outside.ts), unless it is
 * a single word that can say nothing; in a list it is one argument. What came from where is told in `spec.trigger.outside`.
 */
import {
  BRANCH_MAX,
  DEFAULT_GRACE_SECONDS,
  DEFAULT_TIMEOUT_SECONDS,
  OUTSIDE_FROM_MAX,
  OUTSIDE_MAX,
} from '../../api/session.ts';
import type { SessionResult, SessionSpec } from '../../api/session.ts';
import type { SessionTriggerSpec } from '../../api/session-trigger.ts';
import { shorten } from '../conditions.ts';
import { error, warning } from '../policy/mistake.ts';
import { branchMistake } from '../results.ts';
import { oneLine, titleLine } from '../wording.ts';
import { isOptionAt } from './argv.ts';
import type { TriggerEvent } from './event.ts';
import type { TriggerMistake } from './mistakes.ts';
import {
  cleaned,
  cutBytes,
  delimiterOf,
  isPlain,
  isWord,
  marked,
  OUTSIDE_BYTES_MAX,
  preamble,
  VALUE_BYTES_MAX,
} from './outside.ts';
import { partsOf, valueOf } from './placeholder.ts';
import type { Placeholder } from './placeholder.ts';
import { mapStrings } from './strings.ts';
import type { Place } from './strings.ts';

export interface FillOptions {
  /** Of the SessionTrigger. */
  name: string;
  event: TriggerEvent;
  payload: unknown;
  /** The sender's id of the event. */
  delivery: string | undefined;
  /** Names the tags: 16 to 64 lower case letters and digits that nobody outside can know, anew for each event. */
  nonce: string;
  /** Of the framework, where it is known. */
  command: readonly string[] | undefined;
}

export interface Filled {
  spec: SessionSpec;
  /** What only this event shows. With an error the session must not be made. */
  mistakes: TriggerMistake[];
}

type Outside = NonNullable<NonNullable<SessionSpec['trigger']>['outside']>[number];

const TITLE_MAX = 200;

/** Call for a trigger without errors. */
export function fillSession(trigger: SessionTriggerSpec, options: FillOptions): Filled {
  const filling = new Filling(options);
  const filled = mapStrings(trigger.session, (place) => filling.replace(place));
  const { event, name, delivery } = options;
  const { displayName, framework, source, result, policy, limits, runtimeClassName } = filled;
  const { outside, mistakes } = filling;
  const spec: SessionSpec = {
    ...(displayName === undefined || displayName === '' ? {} : { displayName }),
    trigger: {
      source: event.source,
      event: event.event,
      ...(event.action === undefined ? {} : { action: event.action }),
      name,
      ...(delivery === undefined ? {} : { delivery: shorten(oneLine(delivery), 253) }),
      ...(outside.length === 0 ? {} : { outside: outside.slice(0, OUTSIDE_MAX) }),
    },
    framework,
    ...(source === undefined ? {} : { source }),
    ...(result === undefined ? {} : { result: onto(result, event.base) }),
    ...(policy === undefined ? {} : { policy }),
    ...(limits === undefined
      ? {}
      : {
          limits: {
            ...limits,
            timeoutSeconds: limits.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS,
            gracePeriodSeconds: limits.gracePeriodSeconds ?? DEFAULT_GRACE_SECONDS,
          },
        }),
    ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
  };
  return { spec, mistakes };
}

/** Of an event about a pull request the changes go to where that one wants to go. */
function onto(result: SessionResult, base: string | undefined): SessionResult {
  const { pullRequest } = result;
  if (pullRequest === undefined || pullRequest.base !== undefined) return result;
  if (base === undefined || base.length > BRANCH_MAX || branchMistake(base) !== undefined) return result;
  return { ...result, pullRequest: { ...pullRequest, base } };
}

class Filling {
  readonly outside: Outside[] = [];
  readonly mistakes: TriggerMistake[] = [];
  readonly #options: FillOptions;
  readonly #delimiter: string;
  #bytesLeft = OUTSIDE_BYTES_MAX;

  constructor(options: FillOptions) {
    this.#options = options;
    this.#delimiter = delimiterOf(options.nonce);
  }

  replace({ path, use, text }: Place): string {
    if (use === 'fixed') return text;
    if (!text.includes('{{')) return use === 'title' ? this.#fit(path, use, text) : text;
    const parts = partsOf(text);
    const used = parts.flatMap((part) => (part.kind === 'placeholder' ? [part.placeholder] : []));
    const [only] = used;
    let isMarked = false;
    let filled = '';
    if (only !== undefined && parts.length === 1) {
      const value = this.#value(only, path, use);
      isMarked = use === 'text' && value !== '' && !this.#isValue(only, value);
      filled = isMarked ? this.#mark(only, value) : value;
    } else
      for (const part of parts) {
        if (part.kind === 'literal') filled += part.text;
        if (part.kind !== 'placeholder') continue;
        const value = this.#value(part.placeholder, path, use);
        const marks = use === 'text' && value !== '' && !this.#isHarmless(part.placeholder, value);
        isMarked ||= marks;
        filled += marks ? this.#mark(part.placeholder, value) : value;
      }
    if (used.length > 0) this.#note(path, used, isMarked);
    if (isMarked) filled = preamble(this.#delimiter, this.#what()) + filled;
    return this.#fit(path, use, filled);
  }

  #value(placeholder: Placeholder, path: string, use: Place['use']): string {
    const found = valueOf(placeholder, this.#options) ?? '';
    if (found === '') {
      const message = `{{${placeholder.text}}} has no value in this event.`;
      this.mistakes.push(use === 'exact' ? error(path, message) : warning(path, message));
      return '';
    }
    // What is used as it stands, a branch for one, is another thing when a character is gone.
    if (use === 'exact') return found;
    const clean = cleaned(found);
    const kept = cutBytes(clean, this.#bytesLeft);
    this.#bytesLeft -= Buffer.byteLength(kept);
    if (kept !== clean || Buffer.byteLength(found) > VALUE_BYTES_MAX)
      this.mistakes.push(warning(path, `{{${placeholder.text}}} is too long for a session, and was cut.`));
    return kept;
  }

  /** Where it stands, what it is used for. */
  #fit(path: string, use: Place['use'], filled: string): string {
    if (use === 'title') return shorten(titleLine(filled), TITLE_MAX);
    const name = /^spec\.session\.framework\.config\.([^.[]+)\[[0-9]+\]$/.exec(path)?.[1];
    const { command } = this.#options;
    if (use === 'item' && name !== undefined && filled.startsWith('-') && command !== undefined)
      if (isOptionAt(command, name)) {
        const shown = JSON.stringify(shorten(oneLine(filled), 40));
        this.mistakes.push(
          error(path, `is ${shown} in this event, which the program would take for an option.`),
        );
      }
    return filled;
  }

  #mark(placeholder: Placeholder, value: string): string {
    return marked(value, this.#delimiter, placeholder.text);
  }

  #note(path: string, used: readonly Placeholder[], isMarked: boolean): void {
    this.outside.push({
      // As it stands in the Session.
      field: path.replace('spec.session.', 'spec.'),
      from: [...new Set(used.map(({ text }) => text))].slice(0, OUTSIDE_FROM_MAX),
      ...(isMarked ? { delimiter: this.#delimiter } : {}),
    });
  }

  #what(): string {
    const { source, event } = this.#options.event;
    return NAME.test(event) ? `${source} ${event}` : source;
  }

  /** One word where it stands alone, and not what people write sentences into. */
  #isValue(placeholder: Placeholder, value: string): boolean {
    if (PROSE.test(placeholder.text)) return this.#isHarmless(placeholder, value);
    return isWord(value);
  }

  /** A value that no sentence can be made of, or that those who own the source have chosen. */
  #isHarmless(placeholder: Placeholder, value: string): boolean {
    if (value.toLowerCase().includes(this.#options.nonce)) return false;
    if (isPlain(value)) return true;
    const { source } = this.#options.event;
    if (placeholder.root === 'payload' || source === 'generic') return false;
    switch (placeholder.field) {
      case 'source':
        return true;
      case 'event':
      case 'action':
        return NAME.test(value);
      case 'repository':
        return REPOSITORY.test(value);
      case 'url':
        return PAGE.test(value);
      default:
        return false;
    }
  }
}

const PROSE = /(?:^|\.)(?:title|text|body|description|message|summary|comment|displayName)$/;
const NAME = /^[a-z][a-z_]{0,63}$/;
const REPOSITORY = /^[A-Za-z0-9._-]{1,100}(?:\/[A-Za-z0-9._-]{1,100})?$/;
/** Of an issue, a pull request or a commit. */
const PAGE =
  /^https:\/\/[a-z0-9.-]{1,253}\/(?:[A-Za-z0-9._-]{1,100}\/[A-Za-z0-9._-]{1,100}\/(?:pull|issues|commit)\/[0-9a-f]{1,40}(?:#[a-z_]{1,20}-?[0-9]{1,20})?|browse\/[A-Z][A-Z0-9_]{0,20}-[0-9]{1,12})$/;
