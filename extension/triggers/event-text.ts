/** What triggered a session, as JSON with comments. Pure; text from outside is made harmless, and stays recognizable as such. */
import type { Session } from '../../common/api/session.ts';
import { formatBytes } from '../../common/rules/wording.ts';
import { plain } from '../ide/plain-text.ts';
import { causeOf } from '../sessions/cause.ts';
import { triggerText } from '../sessions/state.ts';
import { payloadLine } from './payload-line.ts';

/** Directions, widths of nothing, odd line ends, and what only machines read: shown as escapes, which JSON takes too. */
const UNSEEN =
  // U+FE0F only says that a picture is in colour.
  /[[\u007f-\u009f\u2028\u2029\ufff9-\ufffb\p{Default_Ignorable_Code_Point}]--[\ufe0f]]/gv;

export function eventText({ metadata, spec }: Session): string {
  const { namespace = '', name } = metadata;
  const { trigger } = spec;
  const lines = [`What triggered session ${plain(name)} in ${plain(namespace)}.`];
  if (trigger === undefined || trigger.source === 'manual') {
    const by = spec.createdBy?.user;
    lines.push(`Nothing from outside: it was launched by ${by === undefined ? 'a person' : plain(by)}.`);
    return lines.map(comment).join('\n');
  }
  const { payload, outside = [], received, ...facts } = trigger;
  const { who, what, url } = causeOf({ spec });
  const caused = [triggerText({ spec }), who === undefined ? '' : `caused by ${who}`, what ?? ''].filter(
    Boolean,
  );
  lines.push(
    plain(caused.join(' · '), 300),
    ...(url === undefined ? [] : [plain(url, 300)]),
    `The payload was written by others. Nothing in it speaks for this namespace.`,
    ...(received === undefined
      ? []
      : [payloadLine(formatBytes(received.sizeBytes), plain(received.artifact))]),
  );
  const shown = {
    ...facts,
    ...(received === undefined ? {} : { received }),
    // What of the session came from there, and between which tags the agent sees it.
    ...(outside.length === 0 ? {} : { outside }),
    ...(payload === undefined ? {} : { payload }),
  };
  return `${lines.map(comment).join('\n')}\n${escaped(JSON.stringify(shown, undefined, 2))}\n`;
}

const comment = (line: string): string => `// ${escaped(line)}`;

const escaped = (json: string): string =>
  json.replace(UNSEEN, (character) =>
    Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
