/** The page at the base of the REST API: reads its document and tries it. Everything it shows is built by its script from the document. */

export const PAGE_HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Ambient Sessions: REST API</title>
<link rel="stylesheet" href="page.css">
<script src="page.js" defer></script>
</head>
<body>
<header>
<h1>Ambient Sessions: REST API</h1>
<p>The document behind this page: <a href="openapi.json">openapi.json</a></p>
<label for="token">Bearer token</label>
<input id="token" type="password" autocomplete="off" spellcheck="false" aria-describedby="token-hint">
<p id="token-hint" class="hint">For example of <code>kubectl create token NAME</code>. It stays in this page and is gone when you leave it.</p>
</header>
<main id="operations" aria-busy="true"><p>Reading the document…</p></main>
<noscript><p>This page needs JavaScript; the document does not.</p></noscript>
</body>
</html>
`;
