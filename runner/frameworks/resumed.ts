/** What an agent is told that goes on from an earlier session. */
import { RESUME_VARIABLE } from '../../common/api/runner.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Undefined when it goes on from none. `remembers`: it has that session's conversation itself. */
export function resumedFrom(env: Env, remembers: boolean): string | undefined {
  if (remembers)
    return 'This conversation goes on on another machine. The changes made so far are in the working directory; files that git ignores, and processes, are gone.';
  const log = env[RESUME_VARIABLE];
  return log === undefined
    ? undefined
    : `This goes on from an earlier session, whose changes are in the working directory. What was said and done there is in ${log}, a JSON object a line, oldest first; read it where it helps.`;
}
