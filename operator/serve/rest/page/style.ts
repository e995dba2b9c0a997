/** Style of the page: light and dark as the reader's system is. */

export const PAGE_CSS = `:root {
  color-scheme: light dark;
  --text: #1b1f24; --soft: #57606a; --ground: #ffffff; --raised: #f6f8fa; --line: #d0d7de; --accent: #0550ae;
}
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --soft: #9da7b3; --ground: #0d1117; --raised: #161b22; --line: #3d444d; --accent: #79b8ff; }
}
* { box-sizing: border-box; }
body { overflow-wrap: anywhere; margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--ground); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
a { color: var(--accent); }
code, pre, textarea, .path { font-family: ui-monospace, monospace; font-size: .9rem; }
.hint, .summary { color: var(--soft); }
label { display: block; margin-top: .6rem; font-weight: 600; }
input, select, textarea { width: 100%; padding: .4rem .5rem; border: 1px solid var(--soft); border-radius: 4px; background: var(--ground); color: var(--text); font-size: 1rem; }
textarea { min-height: 9rem; }
button { margin-top: .8rem; padding: .4rem 1rem; border: 1px solid var(--accent); border-radius: 4px; background: var(--accent); color: var(--ground); font-size: 1rem; cursor: pointer; }
.stop { background: var(--ground); color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; background: var(--raised); }
summary { padding: .6rem .8rem; cursor: pointer; overflow-wrap: anywhere; }
.method { display: inline-block; min-width: 3.5rem; font-weight: 700; color: var(--accent); }
.inside { padding: 0 .8rem .8rem; }
[hidden] { display: none; }
.answers { background: var(--ground); margin-top: 1rem; }
.answers ul { margin: 0; padding: 0 .8rem .8rem 2rem; }
pre { overflow: auto; max-height: 30rem; padding: .6rem; border: 1px solid var(--line); background: var(--ground); white-space: pre-wrap; overflow-wrap: anywhere; }
`;
