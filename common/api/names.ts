/** Group, kind, label and well-known object names: every string that two rooms must agree on. */

export const GROUP = 'ambient.ai';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** The aggregated API that serves the verbs which are not state: log, artifacts, source, stop, approve, reject,
 * message, interrupt, resume, audit. */
export const LIVE_GROUP = 'live.ambient.ai';
export const LIVE_API_VERSION = `${LIVE_GROUP}/${VERSION}`;

/** Longest user name that is kept; Kubernetes itself sets no limit. */
export const USER_MAX = 512;

/** One NamespacePolicy is read per namespace, and it has this name. */
export const POLICY_NAME = 'policy';

export const LABEL_SESSION = 'ambient.ai/session';
export const LABEL_SESSION_UID = 'ambient.ai/session-uid';
/** Of a Job and its pods that are not the session's own workload: what they do for it. */
export const LABEL_STEP = 'ambient.ai/step';
/** Of a Job: UID and generation of the NamespacePolicy that it was made under, with a dot in between. */
export const LABEL_POLICY = 'ambient.ai/policy';
/**
 * Of the Job and pod of what is kept ready for a session: the digest of its template. Those that no session has yet carry the labels
 * of a session with nothing in them, so that whatever holds for pods of sessions holds for them too.
 */
export const LABEL_WARM = 'ambient.ai/warm';
export const LABEL_FRAMEWORK = 'ambient.ai/framework';
/** Kueue's own label: passed through from Session to Job so that quota can be Kueue's. */
export const LABEL_KUEUE_QUEUE = 'kueue.x-k8s.io/queue-name';
export const LABEL_MANAGED_BY = 'app.kubernetes.io/managed-by';
export const MANAGED_BY = 'ambient-operator';

/** The pod annotation that the downward API mounts as session.json. */
export const ANNOTATION_RUN = 'ambient.ai/run';

/** What the operator itself puts beside a session's artifacts: no agent can take its place, and it counts for none. */
export const OPERATOR_ARTIFACTS = '.ambient/';

/** Audience of the projected token with which a runner pod proves which pod it is. */
export const TOKEN_AUDIENCE = 'ambient';
/** Audience of the one that a pod's command is given for the model gateway: it opens nothing else. */
export const MODELS_TOKEN_AUDIENCE = 'ambient-models';
/** Audience of the one of the pod that pushes a session's changes. */
export const PUSH_TOKEN_AUDIENCE = 'ambient-push';
/** The ServiceAccount without any role under which all runner pods of a namespace run. */
export const RUNNER_SERVICE_ACCOUNT = 'ambient-runner';
/** The NetworkPolicy of all runner pods of a namespace. */
export const RUNNER_NETWORK_POLICY = 'ambient-runner';

export const OPERATOR_NAMESPACE = 'ambient-system';
export const OPERATOR_NAME = 'ambient-operator';
/** Actor of history entries that no person caused. */
export const OPERATOR_ACTOR = 'system:ambient-operator';

/** On a Session while the operator keeps data of it: object and data go together. */
export const FINALIZER_DATA = 'ambient.ai/data';
