/**
 * What a container whose image has no runner executes, so that a runner in a sidecar can start its command, read its output, end it
 * and learn how it ended: a few lines of POSIX shell between the command and the pipes of common/api/link.ts.
 */

/** PID 1 of the container gets no signal that it does not ask for, so it asks and passes it on. */
const SCRIPT = `
cd "$AMBIENT_WORKSPACE" || exit 71
mkdir -p "$HOME"
read -r go <"$AMBIENT_LINK/start"
[ "$go" = run ] || exit "$go"
exec 3>"$AMBIENT_LINK/words"
"$@" >"$AMBIENT_LINK/stdout" 2>"$AMBIENT_LINK/stderr" </dev/null 3>&- &
command=$!
echo begun >&3
trap 'kill -TERM $command' TERM INT
trap '' PIPE
while read -r signal; do kill -"$signal" $command; done <"$AMBIENT_LINK/signal" 3>&- &
listener=$!
while wait $command; code=$?; kill -0 $command 2>/dev/null; do :; done
echo $code >&3
read -r over <"$AMBIENT_LINK/done"
kill -KILL $listener
exit $code
`.trim();

/**
 * @param secrets variables that get the content of a file, which no object of Kubernetes may contain
 */
export function linkedCommand(
  command: readonly string[],
  secrets: Readonly<Record<string, string>> = {},
): string[] {
  const exports = Object.entries(secrets).map(([name, file]) => `export ${name}="$(cat ${file})"`);
  return ['/bin/sh', '-c', [...exports, SCRIPT].join('\n'), 'session', ...command];
}
