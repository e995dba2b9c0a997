/** What a UI test and the bridge in the extension host say to each other: one JSON request, one JSON answer. */

export const BRIDGE_FOLDER_VARIABLE = 'VSCODE_TEST_BRIDGE';

export interface BridgeRequest {
  /** Source of a function `(vscode, argument) => value`. */
  readonly body: string;
  readonly argument?: unknown;
}

export type BridgeAnswer = { readonly value?: unknown } | { readonly error: string };
