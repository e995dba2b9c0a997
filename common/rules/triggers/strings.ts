/** The strings of a trigger's session, and what each may become: where an event has a say, and where it has none. */
import type { SessionResult } from '../../api/session.ts';
import type { TriggerSession } from '../../api/session-trigger.ts';

/**
 * title: a line for people; exact: a value that is used as it stands; text: what an agent reads; item: of a list, an argument
 * of its own; fixed: never filled in.
 */
export type Use = 'title' | 'exact' | 'text' | 'item' | 'fixed';

export interface Place {
  /** In the SessionTrigger. */
  path: string;
  use: Use;
  text: string;
}

/** Deepest that a config is looked at. */
export const CONFIG_DEPTH_MAX = 20;

/** By which policy decides, so that an event must not choose them. */
const DECIDED = new Set(['model', 'tools']);

const SESSION = 'spec.session';

/** The session with each of its strings replaced; `place` says what it is. Nothing of the original is changed. */
export function mapStrings(session: TriggerSession, map: (place: Place) => string): TriggerSession {
  const { displayName, framework, source, result } = session;
  const at = (path: string, use: Use, text: string): string => map({ path: `${SESSION}.${path}`, use, text });
  return {
    ...session,
    ...(displayName === undefined ? {} : { displayName: at('displayName', 'title', displayName) }),
    framework: {
      ...framework,
      type: at('framework.type', 'fixed', framework.type),
      ...(framework.version === undefined
        ? {}
        : { version: at('framework.version', 'fixed', framework.version) }),
      ...(framework.config === undefined ? {} : { config: mapConfig(framework.config, map) }),
    },
    ...(result === undefined ? {} : { result: mapResult(result, at) }),
    ...(source?.git === undefined
      ? {}
      : {
          source: {
            ...source,
            git: {
              url: at('source.git.url', 'exact', source.git.url),
              ...(source.git.ref === undefined ? {} : { ref: at('source.git.ref', 'exact', source.git.ref) }),
            },
          },
        }),
  };
}

/** Where changes go is said by those who set the trigger alone. */
function mapResult(
  result: SessionResult,
  at: (path: string, use: Use, text: string) => string,
): SessionResult {
  const { branch, pullRequest } = result;
  const { title, base } = pullRequest ?? {};
  if (branch !== undefined) at('result.branch', 'fixed', branch);
  if (title !== undefined) at('result.pullRequest.title', 'fixed', title);
  if (base !== undefined) at('result.pullRequest.base', 'fixed', base);
  return result;
}

function mapConfig(
  config: Readonly<Record<string, unknown>>,
  map: (place: Place) => string,
): Record<string, unknown> {
  const visit = (value: unknown, path: string, use: Use, depth: number): unknown => {
    if (typeof value === 'string') return map({ path, use, text: value });
    if (typeof value !== 'object' || value === null || depth > CONFIG_DEPTH_MAX) return value;
    if (Array.isArray(value))
      return value.map((each, index) =>
        visit(each, `${path}[${index}]`, use === 'fixed' ? use : 'item', depth + 1),
      );
    return fields(value, path, use === 'fixed' ? use : 'text', depth + 1);
  };
  const fields = (object: object, path: string, use: Use, depth: number): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(object).map(([name, value]: [string, unknown]) => {
        // Reported as a mistake where it holds a placeholder; never filled in.
        map({ path: `${path}[${JSON.stringify(name)}]`, use: 'fixed', text: name });
        const isDecided = depth === 1 && DECIDED.has(name);
        return [name, visit(value, `${path}.${name}`, isDecided ? 'fixed' : use, depth)];
      }),
    );
  return fields(config, `${SESSION}.framework.config`, 'text', 1);
}
