/**
 * What the extension and its pages say to each other. The page shows what agents wrote and is the less trusted side:
 * its requests have schemas, checked by the extension; what the extension sends has types only.
 */
import Type from 'typebox';
import type { ARTIFACT_TYPES } from './session.ts';
import type { LogRecord } from './log.ts';

/** A handler for each message: one that is missing or too many does not compile. */
export type Handlers<M> = { readonly [K in keyof M]: (payload: M[K]) => void | Promise<void> };

/** One message on its way. */
export type Message<M> = { [K in keyof M & string]: { type: K; payload: M[K] } }[keyof M & string];

/** Posts a message; the payload has to be that of the type. */
export type Post<M> = <K extends keyof M & string>(type: K, payload: M[K]) => void;

const Nothing = Type.Object({}, { additionalProperties: false });
const ArtifactPath = Type.Object(
  { path: Type.String({ minLength: 1, maxLength: 4096 }) },
  { additionalProperties: false },
);

/** Which session a page shows: what is kept while VS Code restarts. */
export const PageRef = Type.Object({
  cluster: Type.String({ minLength: 1, maxLength: 1024 }),
  namespace: Type.String({ minLength: 1, maxLength: 63 }),
  name: Type.String({ minLength: 1, maxLength: 253 }),
  uid: Type.Optional(Type.String({ maxLength: 64 })),
});
export type PageRef = Type.Static<typeof PageRef>;

/** Requests of the session page, by type. */
export const SESSION_PAGE_REQUESTS = {
  /** The page listens now; answered with the whole state. Sent again whenever the page was made anew. */
  ready: Nothing,
  retry: Nothing,
  stop: Nothing,
  delete: Nothing,
  approve: Nothing,
  reject: Nothing,
  /** Something said to the agent; answered with `said`. */
  message: Type.Object(
    { text: Type.String({ minLength: 1, maxLength: 16 * 1024, pattern: '\\S' }) },
    { additionalProperties: false },
  ),
  interrupt: Nothing,
  resume: Nothing,
  openResult: Nothing,
  raiseBudget: Nothing,
  openLog: Nothing,
  openAudit: Nothing,
  openPolicy: Nothing,
  openTrigger: Nothing,
  openYaml: Nothing,
  copyName: Nothing,
  openArtifact: ArtifactPath,
  saveArtifact: ArtifactPath,
  /** Of a file that the agent has changed: what was changed, or else the file, as far as either is an artifact. */
  openChange: ArtifactPath,
  /** Entries of the conversation before this one. */
  earlier: Type.Object(
    { before: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }) },
    { additionalProperties: false },
  ),
  /** One of the actions of the problem that is shown. */
  act: Type.Object(
    { action: Type.String({ minLength: 1, maxLength: 100 }) },
    { additionalProperties: false },
  ),
} as const;
export type SessionPageRequests = {
  -readonly [K in keyof typeof SESSION_PAGE_REQUESTS]: Type.Static<(typeof SESSION_PAGE_REQUESTS)[K]>;
};

/** What the extension tells the session page. */
export interface SessionPageUpdates {
  state: SessionPageState;
  log: LogUpdate;
  conversation: ConversationUpdate;
  said: SaidUpdate;
}

export interface SessionPageState {
  ref: PageRef;
  /** Absent until the session was seen once. */
  view?: SessionView;
  refusals?: SessionRefusals;
  /** What keeps the view from being there, or from being current. */
  problem?: PageProblem;
}

/** Why the person may not do it; what is absent may be tried. */
export type SessionRefusals = Partial<
  Record<
    'stop' | 'message' | 'interrupt' | 'resume' | 'budget' | 'delete' | 'approve' | 'reject' | 'audit',
    string
  >
>;

export interface PageProblem {
  title: string;
  message: string;
  remedy: string;
  /** `id` comes back in the request `act`. */
  actions: { id: string; title: string }[];
}

/** Like the states of the tree: finer than the phase. */
export type SessionViewState =
  | 'deleting'
  | 'approval'
  | 'attention'
  | 'input'
  | 'pending'
  | 'running'
  | 'stopping'
  | 'completed'
  | 'stopped'
  | 'failed';

/** A session as the page shows it. Text is as it came from outside; times are RFC 3339. */
export interface SessionView {
  title: string;
  state: SessionViewState;
  /** The state as a word for people. */
  stateWord: string;
  message?: string;
  createdAt?: string;
  startedAt?: string;
  endedAt?: string;
  deleted: boolean;
  canStop: boolean;
  canDelete: boolean;
  /** It has ended: a new one can go on from it. */
  canResume: boolean;
  /** Its changes are on a branch. */
  pushed?: true;
  /** By an event: there is something to be shown about it. */
  triggered?: true;
  stop?: { requestedAt: string; requestedBy: string; reason?: string; gracePeriodSeconds: number };
  /** Of a session whose agent listens, or did. */
  talk?: TalkView;
  /** Its place in line while it waits for its turn. */
  queue?: string;
  /** While it waits for an approver, and after the decision. */
  approval?: ApprovalView;
  timeline: TimelineStep[];
  details: Fact[];
  workload: Fact[];
  conditions: ConditionRow[];
  history: HistoryRow[];
  /** Older entries that stand only in the archive. */
  historyArchived: number;
  artifacts: ArtifactsView;
  cost?: CostView;
}

export interface TalkView {
  /** Why nothing can be said to it now; absent while it listens. */
  closed?: string;
  /** Number of the last thing said to it. */
  said: number;
  /** What the agent waits to be told. */
  question?: string;
}

/** What became of a message or an interrupt. */
export interface SaidUpdate {
  what: 'message' | 'interrupt';
  problem?: string;
}

export interface ApprovalView {
  state: 'waiting' | 'approved' | 'rejected';
  /** What the agent is to do: text as it came, with its lines. */
  tasks: { label: string; value: string }[];
  asked: Fact[];
  /** Who may decide. */
  approvers: string;
  decision?: { by: string; at: string; reason?: string };
}

export interface TimelineStep {
  id: 'created' | 'validated' | 'approval' | 'source' | 'turn' | 'workload' | 'running' | 'artifacts' | 'end';
  label: string;
  state: StepState;
  /** When it was reached. */
  at?: string;
  /** From this step to the next one reached, in ms; absent for the last. */
  durationMs?: number;
  detail?: string;
}
export type StepState = 'done' | 'active' | 'waiting' | 'failed' | 'stopped' | 'skipped';

export interface Fact {
  label: string;
  value: string;
  /** time: `value` is RFC 3339. code: shown in the editor's font. */
  kind?: 'time' | 'code';
}

export interface ConditionRow {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  /** Failed=True is bad, Completed=True is good. */
  good: boolean;
  reason: string;
  message: string;
  at: string;
}

export interface HistoryRow {
  seq: number;
  at: string;
  event: string;
  actor: string;
  data: string;
}

export interface ArtifactRow {
  path: string;
  type: (typeof ARTIFACT_TYPES)[number];
  contentType: string;
  size: string;
  createdAt: string;
}

export interface ArtifactsView {
  rows: ArtifactRow[];
  /** All there are, without `records`; more than `rows` when the list comes from the Session object. */
  total: number;
  /** What the operator has put beside them: it stands last in `rows`. */
  records: number;
  totalSize: string;
  /** Why the list may be incomplete. */
  note?: string;
}

export interface CostView {
  total: string;
  /** What the session may spend in all. */
  budget?: { limit: string; percent: number };
  /** It runs under a budget, which somebody may raise. */
  canRaise: boolean;
  /** Its calls to models wait for a raise: what is said of that. */
  paused?: string;
  breakdown: { name: string; amount: string }[];
}

export type LogLine = Pick<LogRecord, 'seq' | 'time' | 'type' | 'text' | 'stream' | 'partial' | 'name'>;

export interface LogUpdate {
  /** Forget what was shown before. */
  reset: boolean;
  lines: LogLine[];
  /** following: more may come. ended: that was all. unavailable: see `problem`. */
  state: 'waiting' | 'following' | 'ended' | 'unavailable';
  problem?: string;
}

/** Lines that the page keeps; the whole log is a document of its own. */
export const LOG_TAIL_LINES = 200;

/**
 * What agent and people said and did, one entry each; entries are numbered from 0 without a gap. A later one of the same number
 * replaces it. Text is as it came, cut where `isCut`.
 */
export type ConversationEntry = SaidEntry | ToolEntry | ChangeEntry | OutputEntry;

interface EntryPlace {
  index: number;
  time: string;
}

export interface SaidEntry extends EntryPlace {
  kind: 'assistant' | 'thinking' | 'question' | 'error' | 'status' | 'user';
  text: string;
  isCut?: true;
  /** Of a person's words: whose. Of a status: which step. */
  name?: string;
  /** Of a question: somebody has answered it. */
  isAnswered?: true;
  /** By the agent, before anybody answered it. */
  isWithdrawn?: true;
  /** Of a question: what it offers as answers. */
  options?: string[];
}

export interface ToolEntry extends EntryPlace {
  kind: 'tool';
  name: string;
  /** What it was called with. */
  text: string;
  isCut?: true;
  result?: string;
  isResultCut?: true;
  hasFailed?: true;
  /** From the call to its result, ms. */
  tookMs?: number;
}

export interface ChangeEntry extends EntryPlace {
  kind: 'change';
  path: string;
  how: string;
}

/** Lines of the command that belong to no event: the last of them. */
export interface OutputEntry extends EntryPlace {
  kind: 'output';
  text: string;
  lines: number;
  hasErrors?: true;
}

export interface ConversationUpdate {
  /** Forget what was shown before. */
  reset: boolean;
  /** In order. */
  entries: ConversationEntry[];
  /** The first entry that can still be asked for; those before it stand only in the log. */
  first: number;
  /** Anything that an agent says or does; without it a log is all there is to show. */
  hasTalk: boolean;
  /** Number of the last thing said to the agent that has reached it. */
  heard: number;
  changes: ChangedFile[];
  /** More were changed than are listed. */
  moreChanges: number;
  usage?: UsageView;
}

export interface ChangedFile {
  path: string;
  how: string;
  at: string;
}

/** What the agent's models used, summed up from the start of the session. */
export interface UsageView {
  points: UsagePoint[];
  /** Whether the agent said what it costs. */
  hasCost: boolean;
}

export interface UsagePoint {
  at: string;
  inputTokens: number;
  outputTokens: number;
  /** USD. */
  cost: number;
}

/** Which namespace a policy page shows: what is kept while VS Code restarts. */
export const PolicyRef = Type.Object({
  cluster: Type.String({ minLength: 1, maxLength: 1024 }),
  namespace: Type.String({ minLength: 1, maxLength: 63 }),
});
export type PolicyRef = Type.Static<typeof PolicyRef>;

/** Requests of the policy page, by type. */
export const POLICY_PAGE_REQUESTS = {
  ready: Nothing,
  retry: Nothing,
  edit: Nothing,
  act: SESSION_PAGE_REQUESTS.act,
} as const;
export type PolicyPageRequests = {
  -readonly [K in keyof typeof POLICY_PAGE_REQUESTS]: Type.Static<(typeof POLICY_PAGE_REQUESTS)[K]>;
};

export interface PolicyPageUpdates {
  state: PolicyPageState;
}

export interface PolicyPageState {
  ref: PolicyRef;
  /** Absent until it is known whether there is a policy. */
  view?: PolicyView;
  problem?: PageProblem;
  /** Why the person may not change it. */
  editRefusal?: string;
}

export interface PolicyView {
  namespace: string;
  /** Without a policy the view is of the defaults. */
  exists: boolean;
  /** Of ConfigValid, one each. */
  mistakes: string[];
  /** Absent: sessions are not limited by a budget of the month. */
  budget?: { meter: MeterView; notice?: string; facts: Fact[] };
  concurrency: { meter?: MeterView; facts: Fact[] };
  frameworks: NamesView;
  models: NamesView;
  tools: NamesView;
  restrictions: RestrictionRow[];
  approval: Fact[];
  retention: Fact[];
  notifications: Fact[];
  deadLetters: DeadLetterRow[];
  webhooks: Fact[];
  conditions: ConditionRow[];
}

export interface MeterView {
  label: string;
  percent: number;
  heldPercent?: number;
  text: string;
  tone: 'good' | 'warning' | 'bad';
}

/** Globs; without `allowed` all that is not blocked. */
export interface NamesView {
  allowed?: string[];
  blocked: string[];
}

export interface RestrictionRow {
  label: string;
  isRestricted: boolean;
  text: string;
}

export interface DeadLetterRow {
  event: string;
  target: string;
  session: string;
  at: string;
  reason: string;
}
