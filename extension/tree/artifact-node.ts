/** One file that a session made. */
import type { Artifact } from '../../common/api/live.ts';
import { formatBytes } from '../../common/rules/wording.ts';
import { markdownText, plain } from '../ide/plain-text.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import type { NodeView, TreeNode } from './node.ts';

export class ArtifactNode implements TreeNode {
  readonly id: string;
  readonly parent: TreeNode;
  /** What commands of the context menu take. */
  readonly ref: SessionRef;
  readonly artifact: Artifact;

  constructor(parent: TreeNode, sessionId: string, ref: SessionRef, artifact: Artifact) {
    this.parent = parent;
    this.ref = ref;
    this.artifact = artifact;
    this.id = `${sessionId}/f:${artifact.path}`;
  }

  view(): NodeView {
    const { path, size, contentType, type } = this.artifact;
    const name = plain(path.slice(path.lastIndexOf('/') + 1));
    return {
      id: this.id,
      label: name,
      description: formatBytes(size),
      tooltip: `${markdownText(path)}\n\n${markdownText(`${type}, ${contentType}, ${formatBytes(size)}`)}`,
      icon: { filePath: path },
      collapsible: 'none',
      context: path.endsWith('.patch') || path.endsWith('.diff') ? 'artifact patch' : 'artifact',
      command: {
        command: 'ambient.openArtifact',
        title: 'Open Artifact',
        arguments: [this.ref, this.artifact],
      },
      spoken: `artifact ${name}, ${formatBytes(size)}`,
    };
  }

  async children(): Promise<readonly TreeNode[]> {
    return [];
  }
}
