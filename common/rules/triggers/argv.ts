/**
 * Where a value from outside would become code. A framework's command is an argument vector, so a value is one argument
 * whatever it holds; but an argument that a shell or an interpreter runs is a program, and that an event must never write.
 */
import { configNameOf } from '../command.ts';

interface Argument {
  /** Path in the SessionTrigger of what comes from an event; undefined for what is the framework's or the trigger's own. */
  outside: string | undefined;
  text: string;
}

export interface CodeMistake {
  path: string;
  message: string;
}

const INTERPRETERS =
  /^(?:ba|da|z|k|a|fi|mk|c|tc)?sh$|^(?:busybox|python[0-9.]*|node|nodejs|deno|bun|perl|ruby|php|lua|pwsh|powershell|awk|gawk|mawk|sed|eval|xargs|osascript|tclsh)$/;
/** -c, -lc, -e, -pe, -r, --eval: the next argument is a program. */
const CODE_FLAG = /^(?:-[A-Za-z]*[ceEpr][A-Za-z]*|--?(?:eval|print|command|execute))$/i;

/** @param isOutside whether a string of the config has a placeholder */
export function codeMistakes(
  command: readonly string[],
  config: Readonly<Record<string, unknown>>,
  isOutside: (text: string) => boolean,
): CodeMistake[] {
  const vector = argumentsOf(command, config, isOutside);
  const found: CodeMistake[] = [];
  const [program] = vector;
  if (program?.outside !== undefined)
    found.push({
      path: program.outside,
      message: 'names the program that runs, which an event must not choose.',
    });
  const first = vector.findIndex(({ text }) => INTERPRETERS.test(baseName(text)));
  if (first === -1) return found;
  const end = programEnd(vector, first);
  const { text } = vector[first] ?? { text: '' };
  for (const { outside } of vector.slice(first + 1, end + 1))
    if (outside !== undefined)
      found.push({
        path: outside,
        message: `would be run by ${baseName(text)}, so an event could run any command. Hand values over as arguments of their own behind the program, as config.args of framework generic, and read them there as "$1".`,
      });
  return found;
}

/**
 * Whether an argument that begins with a dash is taken for an option: not behind `--`, nor behind a shell's program, where it
 * is $1 and so on.
 */
export function isOptionAt(command: readonly string[], name: string): boolean {
  const place = command.findIndex((element) => configNameOf(element) === name);
  if (place === -1) return false;
  const before = command.slice(0, place);
  if (before.includes('--')) return false;
  const shell = before.findIndex((element) => INTERPRETERS.test(baseName(element)));
  const code = before.findLastIndex((element) => CODE_FLAG.test(element));
  // Behind the program there is $0, and only then the arguments.
  return shell === -1 || code < shell || place - code < 3;
}

function argumentsOf(
  command: readonly string[],
  config: Readonly<Record<string, unknown>>,
  isOutside: (text: string) => boolean,
): Argument[] {
  const path = 'spec.session.framework.config';
  return command.flatMap((element): Argument[] => {
    const name = configNameOf(element);
    if (name === undefined) return [{ outside: undefined, text: element }];
    const given = Object.hasOwn(config, name) ? config[name] : undefined;
    const list: readonly unknown[] = Array.isArray(given) ? given : [given];
    return list.flatMap((item, index) => {
      if (typeof item !== 'string') return [];
      const where = Array.isArray(given) ? `${path}.${name}[${index}]` : `${path}.${name}`;
      return [{ outside: isOutside(item) ? where : undefined, text: item }];
    });
  });
}

/** The last argument that may be a program: behind the last flag for one, or the first that is no option. */
function programEnd(vector: readonly Argument[], interpreter: number): number {
  const flag = vector.findLastIndex(
    ({ text, outside }, index) => index > interpreter && outside === undefined && CODE_FLAG.test(text),
  );
  if (flag !== -1) return flag + 1;
  const operand = vector.findIndex(({ text }, index) => index > interpreter && !text.startsWith('-'));
  return operand === -1 ? vector.length - 1 : operand;
}

const baseName = (text: string): string => text.slice(text.lastIndexOf('/') + 1);
