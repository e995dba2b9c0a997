/** The tools: list, launch and read sessions. `await import` it: brings schemas along. */
import { launchTool } from './launch-tool.ts';
import { listArtifactsTool, readArtifactTool } from './artifact-tools.ts';
import { listTool } from './list-tool.ts';
import { logTool } from './log-tool.ts';
import type { SessionTool } from './tool.ts';

/** Checked against their schemas, so the types hold. */
export const SESSION_TOOLS = [
  listTool,
  logTool,
  listArtifactsTool,
  readArtifactTool,
  launchTool,
] as unknown as readonly SessionTool[];

/** As JSON, for manifests and protocols. */
export const schemaOf = ({ input }: Pick<SessionTool, 'input'>): Record<string, unknown> =>
  JSON.parse(JSON.stringify(input)) as Record<string, unknown>;
