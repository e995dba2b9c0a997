/** Folding and outline of log documents, from the records themselves: no line is parsed for it. */
import * as vscode from 'vscode';
import { documentLine } from './document-text.ts';
import type { LogDocument } from './log-document.ts';
import type { LogDocuments } from './log-documents.ts';
import type { LogSection } from './log-lines.ts';

interface Placed extends LogSection {
  start: number;
  end: number;
}

function placed(log: LogDocument): Placed[] {
  const { place } = log;
  const lastLine = place.head + place.shown - 1;
  return log.lines.sections
    .map((section) => ({
      ...section,
      start: Math.max(place.head, documentLine(place, section.first)),
      end: Math.min(lastLine, documentLine(place, section.last)),
    }))
    .filter(({ start, end }) => end >= start);
}

export class LogFolding implements vscode.FoldingRangeProvider {
  readonly #documents: LogDocuments;

  constructor(documents: LogDocuments) {
    this.#documents = documents;
  }

  async provideFoldingRanges(document: vscode.TextDocument): Promise<vscode.FoldingRange[]> {
    const log = await this.#documents.get(document);
    if (log === undefined) return [];
    return placed(log)
      .filter(({ start, end }) => end > start)
      .map(({ start, end }) => new vscode.FoldingRange(start, end));
  }
}

export class LogSymbols implements vscode.DocumentSymbolProvider {
  readonly #documents: LogDocuments;

  constructor(documents: LogDocuments) {
    this.#documents = documents;
  }

  async provideDocumentSymbols(document: vscode.TextDocument): Promise<vscode.DocumentSymbol[]> {
    const log = await this.#documents.get(document);
    if (log === undefined) return [];
    const top: vscode.DocumentSymbol[] = [];
    let step: vscode.DocumentSymbol | undefined;
    for (const section of placed(log)) {
      const symbol = symbolOf(section);
      if (section.kind === 'step') {
        step = symbol;
        top.push(symbol);
      } else if (step !== undefined && step.range.contains(symbol.range)) step.children.push(symbol);
      else top.push(symbol);
    }
    return top;
  }
}

function symbolOf({ kind, title, detail, failed, start, end }: Placed): vscode.DocumentSymbol {
  const range = new vscode.Range(start, 0, end, Number.MAX_SAFE_INTEGER);
  const symbolKind =
    kind === 'step'
      ? vscode.SymbolKind.Module
      : kind === 'tool'
        ? vscode.SymbolKind.Function
        : vscode.SymbolKind.String;
  const name = failed ? `${title} (failed)` : title;
  return new vscode.DocumentSymbol(name, detail, symbolKind, range, new vscode.Range(start, 0, start, 0));
}
