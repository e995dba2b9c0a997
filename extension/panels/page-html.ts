/** The document of a page: nothing runs or is drawn but its own script and style sheet. */

export interface PageOptions {
  title: string;
  /** `webview.cspSource`. */
  cspSource: string;
  scriptUri: string;
  styleUri: string;
  /** Unguessable, of letters and digits, new for each document. */
  nonce: string;
}

export const contentSecurityPolicy = ({ cspSource, nonce }: PageOptions): string =>
  [
    `default-src 'none'`,
    `style-src ${cspSource} 'nonce-${nonce}'`,
    `script-src 'nonce-${nonce}'`,
    // What the defaults above do not cover.
    `base-uri 'none'`,
    `form-action 'none'`,
  ].join('; ');

export const pageHtml = (options: PageOptions): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="${attribute(contentSecurityPolicy(options))}">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <!-- read by the component library, which tries out a style rule of its own -->
    <meta property="csp-nonce" content="${attribute(options.nonce)}">
    <title>${attribute(options.title)}</title>
    <link rel="stylesheet" href="${attribute(options.styleUri)}">
  </head>
  <body>
    <script type="module" nonce="${attribute(options.nonce)}" src="${attribute(options.scriptUri)}"></script>
  </body>
</html>
`;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

const attribute = (text: string): string => text.replace(/[&<>"]/g, (found) => ENTITIES[found] ?? '');
