/**
 * The MCP server: `node dist/mcp/main.mjs`, over standard input and output. It works with the user's kubeconfig ($KUBECONFIG, else
 * ~/.kube/config), hence with the user's rights; asking before a session is launched is the client's part, which is told that
 * this tool changes something.
 */
import { homedir } from 'node:os';
import { createInterface } from 'node:readline';
import { Clusters } from '../clusters/clusters.ts';
import { callTool } from '../tools/call.ts';
import { schemaOf, SESSION_TOOLS } from '../tools/session-tools.ts';
import { toolWorld } from '../tools/world.ts';
import { McpServer } from './protocol.ts';

const VERSION = '0.2.0';
const EXEC_TIMEOUT_MS = 15_000;

const clusters = new Clusters({
  kubeconfigPath: () => undefined,
  execTimeoutMs: () => EXEC_TIMEOUT_MS,
  env: process.env,
  homeDir: homedir(),
  userAgent: `ambient-mcp/${VERSION}`,
});
const world = toolWorld(clusters);

const server = new McpServer({
  name: 'ambient-sessions',
  version: VERSION,
  send: (message) => void process.stdout.write(`${JSON.stringify(message)}\n`),
  handlers: {
    tools: () =>
      SESSION_TOOLS.map((tool) => ({
        name: tool.name,
        title: tool.title,
        description: tool.description,
        inputSchema: schemaOf(tool),
        annotations: { readOnlyHint: tool.isReadOnly, destructiveHint: false, openWorldHint: true },
      })),
    call: async (name, input, signal) => {
      const tool = SESSION_TOOLS.find((each) => each.name === name);
      return tool === undefined ? undefined : await callTool(tool, input, world, signal);
    },
  },
});

const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
// Not one after the other: a call that takes long must not keep its own cancellation waiting.
const underWay = new Set<Promise<void>>();
lines.on('line', (line) => {
  if (line.trim() === '') return;
  const work = server.receive(line).finally(() => underWay.delete(work));
  underWay.add(work);
});
lines.on('close', () => {
  server.close();
  Promise.allSettled(underWay)
    .then(() => clusters.close())
    .then(
      () => process.exit(0),
      () => process.exit(1),
    );
});
