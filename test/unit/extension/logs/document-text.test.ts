import assert from 'node:assert/strict';
import fc from 'fast-check';
import { documentLine, documentText, nextEdit, placeOf } from '../../../../extension/logs/document-text.ts';
import { LogLines } from '../../../../extension/logs/log-lines.ts';

/** What VS Code makes of an edit. */
class Document {
  lines: string[];
  constructor(text: string) {
    this.lines = text.split('\n');
  }
  get place(): ReturnType<typeof placeOf> {
    return placeOf(this.lines.length, this.lines[0] ?? '');
  }
  apply(edit: NonNullable<ReturnType<typeof nextEdit>>): void {
    const rest = this.lines.slice(edit.gone);
    rest[rest.length - 1] = edit.tail;
    this.lines = (edit.head + rest.join('\n')).split('\n');
  }
  get text(): string {
    return this.lines.join('\n');
  }
}

const add = (lines: LogLines, text: string): void =>
  lines.add({ seq: 1, time: '', type: 'output', stream: 'stdout', text });

describe('a document and its log', () => {
  it('becomes equal by edits at its end, whatever was dropped meanwhile', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 30 }),
        fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 12 }),
        fc.integer({ min: 0, max: 100 }),
        (maxLines, bursts, before) => {
          const lines = new LogLines({ formatTime: () => '', maxLines });
          let n = 0;
          for (; n < before; n += 1) add(lines, `line ${n}`);
          const document = new Document(documentText(lines));
          for (const burst of bursts) {
            for (let i = 0; i < burst; i += 1, n += 1) add(lines, `line ${n}`);
            const edit = nextEdit(lines, document.place);
            if (edit !== undefined) document.apply(edit);
            assert.equal(document.text, documentText(lines));
            assert.equal(nextEdit(lines, document.place), undefined);
          }
        },
      ),
    );
  });

  it('only appends while nothing was dropped', () => {
    const lines = new LogLines({ formatTime: () => '' });
    const document = new Document('');
    assert.equal(nextEdit(lines, document.place), undefined);
    add(lines, 'one');
    const edit = nextEdit(lines, document.place);
    assert.deepEqual(edit, { gone: 0, head: '', tail: '  one\n' });
  });

  it('says how many lines are left out, and finds lines behind that', () => {
    const lines = new LogLines({ formatTime: () => '', maxLines: 10 });
    for (let n = 0; n < 2000; n += 1) add(lines, `line ${n}`);
    const document = new Document(documentText(lines));
    assert.match(document.lines[0] ?? '', /^… 1,99\d earlier lines are not shown/);
    assert.equal(document.lines[documentLine(document.place, 1999)], '  line 1999');
  });

  it('is not deceived by a log that looks like the notice', () => {
    const lines = new LogLines({ formatTime: () => '' });
    add(lines, '… 5 earlier lines are not shown');
    const document = new Document(documentText(lines));
    assert.equal(document.place.base, 0);
  });
});
