/** Starts a framework's agent in place of the program that read the description: its process is then the agent's own. */

type Env = Readonly<Record<string, string | undefined>>;

/** Does not return. Throws when the program cannot be executed. */
export function become(program: string, args: readonly string[], env: Env): never {
  const known = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  // Node has it where there is something to replace a process with.
  if (process.execve === undefined) throw new Error('this system cannot replace a process');
  process.execve(program, [program, ...args], Object.fromEntries(known) as Record<string, string>);
  throw new Error(`${program} could not be started`);
}
