/**
 * A framework's command and environment with its placeholders replaced (rules: common/api/framework.ts).
 * Only an element that is wholly `{{config.NAME}}` is a placeholder, so a value can never become part of another argument.
 */

const PLACEHOLDER = /^\{\{\s*config\.([A-Za-z_][A-Za-z0-9_-]*)\s*\}\}$/;
const EMBEDDED = /\{\{\s*config\.[^}]*\}\}/;

/** The setting of which an element is the place; undefined for what stands for itself. */
export const configNameOf = (element: string): string | undefined => PLACEHOLDER.exec(element)?.[1];

/** Linux refuses a single argument or variable of 128 KiB and more (MAX_ARG_STRLEN), whatever the total. */
export const ARGUMENT_BYTES_MAX = 128 * 1024 - 1;

/** What is wrong, and whose mistake it is: the framework's author's or the session's. */
export interface TemplateProblem {
  whose: 'framework' | 'config';
  message: string;
}

export interface Resolved<T> {
  value: T;
  problems: TemplateProblem[];
}

const IMAGE_MAX = 1024;

type Config = Readonly<Record<string, unknown>>;

/** The argument vector. A string or other scalar becomes one argument, an array one each, absent or null none. */
export function resolveCommand(template: readonly string[], config: Config): Resolved<string[]> {
  const problems: TemplateProblem[] = [];
  const value = template.flatMap((element) => {
    const name = placeholder(element, problems, 'command');
    if (name === undefined) return [element];
    const given = valueOf(config, name);
    const list = Array.isArray(given) ? (given as unknown[]) : given === undefined ? [] : [given];
    return list.flatMap((item) => argument(item, name, problems));
  });
  if (value.length === 0 && problems.length === 0)
    problems.push({
      whose: 'config',
      message: `the command is empty: give spec.framework.config a value for ${template.join(' ')}`,
    });
  return { value, problems };
}

/** The one image of a version. What the session names must look like one: the API server would refuse the pod, and nobody understand. */
export function resolveImage(template: string, config: Config): Resolved<string[]> {
  const resolved = resolveCommand([template], config);
  const [image = ''] = resolved.value;
  const name = configNameOf(template);
  if (resolved.problems.length > 0 || name === undefined) return resolved;
  if (resolved.value.length === 1 && image.length <= IMAGE_MAX && /^[\w][\w.:/@-]*$/.test(image))
    return resolved;
  const message = `config.${name} must be the name of one image`;
  return { value: [], problems: [{ whose: 'config', message }] };
}

/** Environment variables; one whose placeholder has no value is left out. */
export function resolveEnv(
  template: readonly { name: string; value: string }[],
  config: Config,
): Resolved<Record<string, string>> {
  const problems: TemplateProblem[] = [];
  const value: Record<string, string> = {};
  for (const variable of template) {
    const name = placeholder(variable.value, problems, `env ${variable.name}`);
    if (name === undefined) {
      value[variable.name] = variable.value;
      continue;
    }
    const given = valueOf(config, name);
    if (given === undefined) continue;
    const [text] = argument(given, name, problems);
    if (text !== undefined) value[variable.name] = text;
  }
  return { value, problems };
}

function placeholder(element: string, problems: TemplateProblem[], where: string): string | undefined {
  const name = configNameOf(element);
  // A literal would run with braces in it, which its author cannot have meant.
  if (name === undefined && EMBEDDED.test(element))
    problems.push({
      whose: 'framework',
      message: `${where}: ${JSON.stringify(element)} has a placeholder inside other text; it must be the whole element`,
    });
  return name;
}

/** Own properties only: config is data from outside, and `constructor` is no setting. */
function valueOf(config: Config, name: string): unknown {
  const value = Object.hasOwn(config, name) ? config[name] : undefined;
  return value === null ? undefined : value;
}

function argument(value: unknown, name: string, problems: TemplateProblem[]): string[] {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
    problems.push({
      whose: 'config',
      message: `config.${name} must be text, a number, true or false, or a list of those, not ${kindOf(value)}`,
    });
    return [];
  }
  const text = String(value);
  if (text.includes('\0'))
    problems.push({
      whose: 'config',
      message: `config.${name} contains a NUL character, which no argument can hold`,
    });
  else if (Buffer.byteLength(text) > ARGUMENT_BYTES_MAX)
    problems.push({
      whose: 'config',
      message: `config.${name} has ${Buffer.byteLength(text)} bytes; one argument holds at most ${ARGUMENT_BYTES_MAX}. Put long text into a file of the source`,
    });
  else return [text];
  return [];
}

const kindOf = (value: unknown): string =>
  Array.isArray(value) ? 'a list inside a list' : value === null ? 'null' : `an ${typeof value}`;
