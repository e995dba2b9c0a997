/**
 * The contract between operator and runner. Language-neutral: a mounted file, environment, HTTP, an exit code.
 *
 * In the pod: /ambient/session.json (RunDescription), /ambient/token (projected, audience `ambient`), /workspace, /artifacts,
 * /tmp; all else read-only. The command also sees AMBIENT_NAMESPACE, AMBIENT_SESSION, AMBIENT_SESSION_UID,
 * AMBIENT_WORKSPACE, AMBIENT_ARTIFACTS, AMBIENT_DESCRIPTION (the path of session.json), for each restriction its variable of
 * RESTRICTION_VARIABLES as `true`, and the framework's env; never that token.
 *
 * Where `models` stands in the description the command is given a second token, and only then: /ambient/models-token (projected,
 * audience `ambient-models`, as long valid as the pod may run). It is the key to the model gateway at
 * `{endpoint.url}/models/{provider}/…` and opens nothing of the runner protocol. The runner sets for each of them `baseUrlEnv`
 * to that address with `path`, `keyEnv` to the token, and AMBIENT_MODELS_TOKEN_FILE to its path for commands that ask again;
 * SSL_CERT_FILE and NODE_EXTRA_CA_CERTS to a file with endpoint.ca, the image's own authorities kept.
 * `tools` is what policy leaves of the tools an agent may use: a name is allowed when each list of `allowed` has a glob for it and
 * none of `blocked` matches. A framework puts that into its agent's own settings; the gateway refuses the rest besides.
 *
 * HTTPS below `endpoint.url` (CA in `endpoint.ca`), `Authorization: Bearer <token>`; the token names the session, no path does:
 *   POST /runner/v1/events              NDJSON of LogRecord, seq gap-free → EventsAccepted. Records up to `acknowledged` are
 *                                       stored; resending is harmless; a gap answers 409 with EventsAccepted.
 *   GET  /runner/v1/control?wait=S      Control; held up to S (≤ 30) seconds while there is nothing new. With &after=N also what
 *                                       was said to the session after message N, which the runner thereby acknowledges. With
 *                                       &paused=B, what the runner takes to be so, also whether a call waits for money, and at
 *                                       once when that has changed
 *   GET  /runner/v1/source              the uploaded archive; Range
 *   GET  /runner/v1/resume/changes.patch, /runner/v1/resume/log, /runner/v1/resume/memory
 *                                       of the session that this one goes on from: what it changed, its records as NDJSON, and
 *                                       its MEMORY_ARCHIVE. 404 when it left none
 *   PUT  /runner/v1/artifacts/{path}    bytes of one file, each path segment percent-encoded. Headers: Content-Type,
 *                                       X-Ambient-Digest sha256:…, X-Ambient-Type (artifact type). 201; 422 digest mismatch;
 *                                       400 unsafe path; 507 store full. Same path again replaces.
 *   POST /runner/v1/result              RunResult, once, after all records and artifacts are in → 204. Sent again, unchanged,
 *                                       when no answer came.
 *
 *   GET  /runner/v1/run?wait=S          RunAnswer, of a pod that was kept ready: what it shall run, once a session has it; held up
 *                                       to S (≤ 30) seconds while none has. All else answers 403 before that
 *
 * Errors are {error, message, details} of common/errors.ts. 401/403 are final; 5xx, 429 and connection errors are retried.
 *
 * A framework with `sidecar` has its command in a container of its own, whose image has no runner. The runner is then a native
 * sidecar: it alone has /ambient, and talks with the command through /ambient-link (common/api/link.ts), by a few
 * lines of shell that the container executes. Of /ambient the command's container has models-token only.
 *
 * The source archive is a gzip'd tar: `files/…` the working tree (uncommitted changes included), optionally `history.bundle`,
 * a git bundle of HEAD and its branch, which becomes /workspace/.git; of a shallow repository also `history.shallow`, its .git/shallow.
 *
 * The runner ends the command after limits.timeoutSeconds, then needs up to gracePeriodSeconds + HAND_IN_SECONDS to end it and
 * to hand in what there is: activeDeadlineSeconds and terminationGracePeriodSeconds of the pod leave room for that.
 * A record of type `usage` tells what a step has cost: data.costUsd in USD, beyond what earlier records told, as a decimal string
 * with at most nine decimals or as a number (rounded to nine); data.model, optional, is what it is broken down by. Each is counted
 * once, by its seq. A costUsd that is no such amount counts as nothing, and the operator logs a warning.
 *
 * Where `input` is messages the command's standard input is a pipe. The runner gives it what was said in order, each once, and
 * records it as `user` with who said it; after limits.idleSeconds without output or message it closes the pipe, and ends a command
 * that is still there after the grace period. While a call of the command's waits for money, that time does not run.
 *
 * A session with `resume` begins with the source of another one and what that changed; its own changes.patch is against the
 * source, hence all that both changed. AMBIENT_RESUME names a file with the other's log for the command to read.
 * AMBIENT_MEMORY names a folder for what an agent wants to know of itself in such a session: what lies there at the end, at most
 * MEMORY_BYTES_MAX, is put as MEMORY_ARCHIVE, a gzip'd tar of regular files, and lies there again when somebody resumes it. A
 * command in a container of its own has no such folder.
 *
 * A pod that is kept ready for a session has a WaitDescription in session.json. Its runner prepares, asks for its run, and does what
 * any other does; it serves one session and ends with it. Commands find the description at AMBIENT_DESCRIPTION: session.json itself
 * may need a minute until it has it.
 *
 * What it cannot report over HTTP it leaves in the container's termination message: RunResult as JSON.
 */
import Type from 'typebox';
import { EVENT_FORMATS, FrameworkModels, INPUTS } from './framework.ts';
import { MESSAGE_KINDS } from './session.ts';

export const RUN_API_VERSION = 'runner.ambient.ai/v1alpha1';
export const RUNNER_PATHS = {
  events: '/runner/v1/events',
  control: '/runner/v1/control',
  run: '/runner/v1/run',
  source: '/runner/v1/source',
  resume: '/runner/v1/resume',
  artifacts: '/runner/v1/artifacts',
  result: '/runner/v1/result',
} as const;
export const HEADER_DIGEST = 'x-ambient-digest';
export const HEADER_ARTIFACT_TYPE = 'x-ambient-type';

export const MOUNTS = {
  control: '/ambient',
  description: '/ambient/session.json',
  token: '/ambient/token',
  modelsToken: '/ambient/models-token',
  workspace: '/workspace',
  artifacts: '/artifacts',
  temporary: '/tmp',
  link: '/ambient-link',
  /** Of the container alone that clones or pushes: the Secret with which it does. */
  gitCredentials: '/ambient-git',
  /** Of the init container alone: a folder for each Secret of inputs. */
  inputCredentials: '/ambient-inputs',
  /** Read-only for the agent. */
  inputs: '/inputs',
} as const;

/**
 * `source` in the environment of the container that only brings the source, with credentials that no other container has; `push` in
 * that of the pod that pushes what a session has changed.
 */
export const STEP_VARIABLE = 'AMBIENT_STEP';
/** Below /tmp: how that went, for the runner, which takes it away before anybody else can write there. */
export const HANDED_SOURCE = '.ambient-source.json';

/** By which a command learns what policy wants it to hold back from: `true`, or absent. Nothing a session says can unset them. */
export const RESTRICTION_VARIABLES = {
  network: 'AMBIENT_RESTRICT_NETWORK',
  fileSystem: 'AMBIENT_RESTRICT_FILE_SYSTEM',
  execution: 'AMBIENT_RESTRICT_EXECUTION',
} as const;

/** Where the key to the model gateway can be read again. */
export const MODELS_TOKEN_VARIABLE = 'AMBIENT_MODELS_TOKEN_FILE';
/** The authorities to trust, in one file. */
export const AUTHORITIES_FILE = 'authorities.pem';
/** Where the description of the run lies. */
export const DESCRIPTION_VARIABLE = 'AMBIENT_DESCRIPTION';

/** Top-level names in the source archive. */
export const ARCHIVE = { files: 'files', history: 'history.bundle', shallow: 'history.shallow' } as const;

/** By which a resumed command finds the log of the session that it goes on from. */
export const RESUME_VARIABLE = 'AMBIENT_RESUME';
/** The folder of what an agent remembers from one session to the one that goes on from it. */
export const MEMORY_VARIABLE = 'AMBIENT_MEMORY';
/** The artifact that keeps it: the only one below .ambient/ that runners put. */
export const MEMORY_ARCHIVE = '.ambient/memory.tar.gz';
/** Of all its files together. */
export const MEMORY_BYTES_MAX = 32 * 1024 * 1024;

/** How long the runner may need after the command has ended, for the last records, artifacts and the result. */
export const HAND_IN_SECONDS = 60;

/** The artifact that holds what the command changed in the workspace, as `git diff --binary` against what was delivered. */
export const CHANGES_PATCH = 'changes.patch';

export const RunDescription = Type.Object({
  apiVersion: Type.Literal(RUN_API_VERSION),
  session: Type.Object({
    namespace: Type.String(),
    name: Type.String(),
    uid: Type.String(),
    displayName: Type.Optional(Type.String()),
  }),
  framework: Type.Object({
    type: Type.String(),
    version: Type.String(),
    config: Type.Record(Type.String(), Type.Unknown()),
  }),
  command: Type.Array(Type.String(), {
    minItems: 1,
    description: 'Argument vector, placeholders already replaced.',
  }),
  env: Type.Record(Type.String(), Type.String()),
  eventFormat: Type.Enum([...EVENT_FORMATS]),
  input: Type.Optional(Type.Enum([...INPUTS], { description: 'Absent: none.' })),
  source: Type.Object({
    type: Type.Enum(['none', 'upload', 'git']),
    upload: Type.Optional(Type.Object({ sizeBytes: Type.Integer(), digest: Type.String() })),
    git: Type.Optional(
      Type.Object({
        url: Type.String(),
        ref: Type.Optional(Type.String()),
        credentials: Type.Optional(
          Type.String({ description: 'A Secret: then an init container has brought the source already.' }),
        ),
      }),
    ),
  }),
  inputs: Type.Optional(
    Type.Array(
      Type.Object({
        name: Type.String({ description: 'Below /inputs.' }),
        kind: Type.Enum(['s3', 'external']),
        bucket: Type.Optional(Type.String()),
        key: Type.Optional(Type.String()),
        credentials: Type.Optional(Type.String()),
        url: Type.Optional(Type.String()),
        digest: Type.Optional(Type.String()),
      }),
      { description: 'What the init container has brought beside the source.' },
    ),
  ),
  resume: Type.Optional(Type.Object({ session: Type.String({ description: 'The one it goes on from.' }) })),
  limits: Type.Object({
    timeoutSeconds: Type.Integer({
      description: 'The runner stops the command itself shortly before Kubernetes would kill the pod.',
    }),
    gracePeriodSeconds: Type.Integer(),
    idleSeconds: Type.Optional(Type.Integer()),
  }),
  restrictions: Type.Optional(
    Type.Object(
      {
        network: Type.Boolean(),
        fileSystem: Type.Boolean(),
        execution: Type.Boolean(),
      },
      { description: "Of the namespace's policy; absent: none." },
    ),
  ),
  tools: Type.Optional(
    Type.Object(
      {
        allowed: Type.Array(Type.Array(Type.String())),
        blocked: Type.Array(Type.String()),
      },
      { description: "Of policy and session; absent: every tool. Globs, as NamespacePolicy's." },
    ),
  ),
  models: Type.Optional(
    Type.Array(FrameworkModels, {
      description: 'Reached through the gateway; absent: the command is given no key.',
    }),
  ),
  endpoint: Type.Object({ url: Type.String(), ca: Type.String({ description: 'PEM.' }) }),
});
export type RunDescription = Type.Static<typeof RunDescription>;

/** What session.json holds in a pod that no session has yet. */
export const WaitDescription = Type.Object({
  apiVersion: Type.Literal(RUN_API_VERSION),
  waits: Type.Literal(true),
  endpoint: RunDescription.properties.endpoint,
});
export type WaitDescription = Type.Static<typeof WaitDescription>;

export const RunAnswer = Type.Object({
  run: Type.Optional(RunDescription),
});
export type RunAnswer = Type.Static<typeof RunAnswer>;

export const EventsAccepted = Type.Object({
  acknowledged: Type.Integer({
    minimum: 0,
    description: 'The highest seq that is stored, with all before it.',
  }),
});
export type EventsAccepted = Type.Static<typeof EventsAccepted>;

/** What somebody said to the session. */
export const Said = Type.Object({
  seq: Type.Integer({ minimum: 1, description: 'Gap-free number, from 1.' }),
  id: Type.String(),
  kind: Type.Enum([...MESSAGE_KINDS]),
  by: Type.String({ description: 'Who.' }),
  text: Type.String({ description: 'Empty for an interrupt.' }),
});
export type Said = Type.Static<typeof Said>;

export const Control = Type.Object({
  stop: Type.Optional(
    Type.Object({
      requestedBy: Type.String(),
      reason: Type.Optional(Type.String()),
      gracePeriodSeconds: Type.Integer(),
    }),
  ),
  messages: Type.Optional(
    Type.Array(Said, { description: 'After the one that was acknowledged, in order; more may follow.' }),
  ),
  paused: Type.Optional(
    Type.Boolean({
      description: 'A call to a model waits until the budget of the session is raised. Only when asked for.',
    }),
  ),
});
export type Control = Type.Static<typeof Control>;

/** Why a run ended, as the runner saw it. */
export const RUN_OUTCOMES = [
  'Succeeded',
  'CommandFailed',
  'CommandNotFound',
  'Stopped',
  'DeadlineExceeded',
  'SourceUnavailable',
  'ArtifactsIncomplete',
  'RunnerError',
] as const;

export const RunResult = Type.Object({
  outcome: Type.Enum([...RUN_OUTCOMES]),
  message: Type.String({ maxLength: 4096, description: 'What happened, for a person.' }),
  exitCode: Type.Optional(Type.Integer({ description: "The command's own; 128 + signal when killed." })),
  startedAt: Type.Optional(Type.String({ format: 'date-time' })),
  finishedAt: Type.String({ format: 'date-time' }),
  lastSeq: Type.Integer({ minimum: 0, description: 'Number of the last log record.' }),
  sourceCommit: Type.Optional(
    Type.String({ pattern: '^[0-9a-f]{40,64}$', description: 'Of the git source, as it was checked out.' }),
  ),
  skippedArtifacts: Type.Optional(
    Type.Array(Type.Object({ path: Type.String(), reason: Type.String() }), { maxItems: 100 }),
  ),
});
export type RunResult = Type.Static<typeof RunResult>;

/** Exit codes of the runner itself: 0 when the command succeeded, else the command's own, or one of these. */
export const RUNNER_EXIT = {
  stopped: 143,
  deadline: 124,
  notFound: 127,
  source: 70,
  artifacts: 74,
  internal: 71,
} as const;
