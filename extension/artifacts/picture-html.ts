/** The document of the page that shows a picture: nothing runs but its own script. */

export interface PictureHtmlOptions {
  title: string;
  cspSource: string;
  scriptUri: string;
  nonce: string;
}

/** In an `<img>` a picture runs no scripts and loads nothing; the policy says so once more. */
export const pictureHtml = ({ title, cspSource, scriptUri, nonce }: PictureHtmlOptions): string => {
  const policy = [
    `default-src 'none'`,
    `img-src data: blob: ${cspSource}`,
    `style-src ${cspSource} 'nonce-${nonce}'`,
    `script-src 'nonce-${nonce}'`,
    `base-uri 'none'`,
    `form-action 'none'`,
  ].join('; ');
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="${escaped(policy)}">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${escaped(title)}</title>
    <style nonce="${nonce}">html, body { height: 100%; margin: 0; padding: 0; }</style>
  </head>
  <body>
    <main><picture-page></picture-page></main>
    <script type="module" nonce="${nonce}" src="${escaped(scriptUri)}"></script>
  </body>
</html>
`;
};

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (found) => ENTITIES[found] ?? '');
