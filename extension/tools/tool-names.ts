/** The tools as package.json contributes them: known without their schemas, which load on first use. */
export const TOOL_NAMES = [
  'ambient_list_sessions',
  'ambient_read_session_log',
  'ambient_list_artifacts',
  'ambient_read_artifact',
  'ambient_launch_session',
] as const;
