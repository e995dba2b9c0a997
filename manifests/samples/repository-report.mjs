// A session's work without a model: reads the history and the sources of the repository in the workspace, writes
// report.md, chart.svg and summary.json as artifacts, and drafts an Unreleased section in CHANGELOG.md.
//   command: node manifests/samples/repository-report.mjs
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const artifacts = process.env.AMBIENT_ARTIFACTS ?? '/artifacts';
const git = (...args) => execFileSync('git', args, { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 });
const say = async (line) => {
  console.log(line);
  await delay(250); // slow enough to be watched
};

await say('Reading the history');
const hasHistory = existsSync('.git');
const commits = hasHistory
  ? git('log', '--format=%H%x09%aI%x09%an%x09%s')
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [hash, date, author, subject] = line.split('\t');
        return { hash: hash.slice(0, 8), date, author, subject };
      })
  : [];
await say(`${commits.length} commits by ${new Set(commits.map((c) => c.author)).size} authors`);

const files = git(...(hasHistory ? ['ls-files', '-co', '--exclude-standard'] : ['ls-files', '-o']))
  .split('\n')
  .filter((file) => file && existsSync(file));
const text = new Set(['.ts', '.mjs', '.js', '.json', '.yaml', '.md', '.sh', '.css']);
const folders = new Map();
const kinds = new Map();
for (const file of files) {
  const kind = extname(file) || '(none)';
  if (!text.has(kind) || file.endsWith('package-lock.json')) continue;
  const lines = readFileSync(file, 'utf8').split('\n').length;
  const folder = file.includes('/') ? file.split('/')[0] : '.';
  folders.set(folder, (folders.get(folder) ?? 0) + lines);
  kinds.set(kind, (kinds.get(kind) ?? 0) + lines);
}
const byLines = (map) => [...map].sort((a, b) => b[1] - a[1]);
for (const [folder, lines] of byLines(folders).slice(0, 12))
  await say(`${String(lines).padStart(8)} lines  ${folder}`);
const total = [...folders.values()].reduce((sum, lines) => sum + lines, 0);

await say('Drawing the chart');
const escape = (value) =>
  String(value).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
const rows = byLines(folders).slice(0, 12);
const widest = rows[0]?.[1] ?? 1;
const bars = rows.map(([folder, lines], i) => {
  const y = 48 + i * 28;
  const width = Math.max(2, Math.round((lines / widest) * 420));
  return `<text x="130" y="${y + 15}" text-anchor="end">${escape(folder)}</text><rect x="140" y="${y}" width="${width}" height="20" rx="3" fill="#3794ff"/><text x="${148 + width}" y="${y + 15}">${lines}</text>`;
});
writeFileSync(
  join(artifacts, 'chart.svg'),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 ${64 + rows.length * 28}" font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="#fff"/><text x="20" y="28" font-size="17" font-weight="bold">Lines by folder</text>${bars.join('')}</svg>\n`,
);

await say('Writing the report');
const table = (head, data) =>
  [
    `| ${head.join(' | ')} |`,
    `|${head.map(() => '---').join('|')}|`,
    ...data.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');
writeFileSync(
  join(artifacts, 'report.md'),
  `# Repository report

${files.length} files, ${total} lines of text, ${commits.length} commits.

## Lines by folder
${table(['Folder', 'Lines'], byLines(folders))}

## Lines by kind
${table(['Kind', 'Lines'], byLines(kinds))}

## Latest commits
${
  commits.length > 0
    ? table(
        ['Commit', 'Date', 'Subject'],
        commits.slice(0, 10).map((c) => [c.hash, c.date.slice(0, 10), c.subject.replaceAll('|', '\\|')]),
      )
    : 'The workspace came without history.'
}
`,
);
writeFileSync(
  join(artifacts, 'summary.json'),
  `${JSON.stringify({ files: files.length, lines: total, commits: commits.length, folders: Object.fromEntries(byLines(folders)) }, null, 2)}\n`,
);

await say('Drafting the changelog');
const draft = `## Unreleased\n${
  commits
    .slice(0, 5)
    .map((c) => `- ${c.subject}`)
    .join('\n') || '- Nothing yet'
}\n\n`;
const changelog = existsSync('CHANGELOG.md') ? readFileSync('CHANGELOG.md', 'utf8') : '# Changelog\n\n';
const firstVersion = changelog.search(/^## /m);
writeFileSync(
  'CHANGELOG.md',
  firstVersion < 0
    ? changelog + draft
    : changelog.slice(0, firstVersion) + draft + changelog.slice(firstVersion),
);
await say('Done');
