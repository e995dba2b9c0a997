/** A folder among a session's artifacts, and how a flat list of paths becomes folders and files. */
import type { Artifact } from '../../common/api/live.ts';
import { OPERATOR_ARTIFACTS } from '../../common/api/names.ts';
import { count } from '../../common/rules/wording.ts';
import { plain } from '../ide/plain-text.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { ArtifactNode } from './artifact-node.ts';
import type { NodeView, TreeNode } from './node.ts';

export class ArtifactFolderNode implements TreeNode {
  readonly id: string;
  readonly parent: TreeNode;
  readonly #prefix: string;
  readonly #inside: readonly Artifact[];
  readonly #sessionId: string;
  readonly #ref: SessionRef;

  constructor(
    parent: TreeNode,
    sessionId: string,
    ref: SessionRef,
    prefix: string,
    inside: readonly Artifact[],
  ) {
    this.parent = parent;
    this.#sessionId = sessionId;
    this.#ref = ref;
    this.#prefix = prefix;
    this.#inside = inside;
    this.id = `${sessionId}/d:${prefix}`;
  }

  view(): NodeView {
    const name = plain(this.#prefix.slice(this.#prefix.lastIndexOf('/', this.#prefix.length - 2) + 1, -1));
    return {
      id: this.id,
      label: name,
      description: count(this.#inside.length, 'file'),
      icon: { id: 'folder' },
      collapsible: 'collapsed',
      context: 'artifactFolder',
      spoken: `folder ${name}, ${count(this.#inside.length, 'file')}`,
    };
  }

  async children(): Promise<readonly TreeNode[]> {
    return artifactNodes(this, this.#sessionId, this.#ref, this.#inside, this.#prefix);
  }
}

/**
 * What lies directly below `prefix` ('' or ending in a slash): folders first, then files, each by name. Last comes what the operator
 * has put there: nobody looks for that first.
 */
export function artifactNodes(
  parent: TreeNode,
  sessionId: string,
  ref: SessionRef,
  artifacts: readonly Artifact[],
  prefix = '',
): TreeNode[] {
  const folders = new Map<string, Artifact[]>();
  const files: Artifact[] = [];
  for (const artifact of artifacts) {
    const slash = artifact.path.indexOf('/', prefix.length);
    if (slash < 0) {
      files.push(artifact);
      continue;
    }
    const folder = artifact.path.slice(0, slash + 1);
    const inside = folders.get(folder);
    if (inside === undefined) folders.set(folder, [artifact]);
    else inside.push(artifact);
  }
  const nodeOf = ([folder, inside]: [string, Artifact[]]): TreeNode =>
    new ArtifactFolderNode(parent, sessionId, ref, folder, inside);
  const own = folders.get(OPERATOR_ARTIFACTS);
  folders.delete(OPERATOR_ARTIFACTS);
  return [
    ...[...folders].sort(([a], [b]) => (a < b ? -1 : 1)).map(nodeOf),
    ...files
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .map((artifact) => new ArtifactNode(parent, sessionId, ref, artifact)),
    ...(own === undefined ? [] : [nodeOf([OPERATOR_ARTIFACTS, own])]),
  ];
}
