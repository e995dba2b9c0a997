/** What a runner in a sidecar and the command of another container share: a folder of named pipes, and when it is ready. */

/** Where both containers find the folder. */
export const LINK_VARIABLE = 'AMBIENT_LINK';
/**
 * start: `run`, or the exit code to end with at once; words: `begun`, then the exit code; signal: names of signals; done: that
 * everything is handed in, and only then does the container end.
 */
export const LINK_PIPES = ['start', 'stdout', 'stderr', 'words', 'signal', 'done'] as const;
export type LinkPipe = (typeof LINK_PIPES)[number];
/** A file: before it is there Kubernetes does not start the container. */
export const LINK_READY = 'ready';
