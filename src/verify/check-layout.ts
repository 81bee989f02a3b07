// In which order the codes of an I2_S file stand, where its dead channels do not tell: the order in which the model
// predicts English is the one. Runs the model up to three times.

import { TernlightError } from '../errors.ts';
import type { I2sLayout } from '../formats/encodings/index.ts';
import { identifyI2s, withI2sLayout } from '../formats/i2s-layout.ts';
import type { ModelFile } from '../formats/types.ts';
import type { Model } from '../generate/model.ts';
import type { Findings } from './finding.ts';
import { meanNll } from './likelihood.ts';
import { prose } from './texts.ts';

export interface LayoutReport {
  readonly layout: I2sLayout;
  /** False: nothing told, and the layout is that of the published files. */
  readonly sure: boolean;
  readonly why: string;
  /** Nats per token under each order, where the model had to be run. */
  readonly nll?: Partial<Record<I2sLayout, number>>;
}

export interface LayoutOptions {
  /** Loads the file with its codes in this order. Without it no model is run. */
  loadAs?: (layout: I2sLayout) => Promise<Model>;
  signal?: AbortSignal;
}

const layouts: readonly I2sLayout[] = ['x86', 'arm', 'rows4'];
/** Nats per token by which the best must beat the next, and pure guessing. */
const margin = 0.5;

/** Undefined where no tensor is I2_S, or its data is damaged (a finding). */
export async function checkLayout(
  file: ModelFile,
  findings: Findings,
  { loadAs, signal }: LayoutOptions,
): Promise<LayoutReport | undefined> {
  let report: LayoutReport | undefined;
  try {
    report = await identifyI2s(file, signal);
  } catch (error) {
    if (!(error instanceof TernlightError) || error.code !== 'invalid-file') throw error;
    findings.error('I2_S', error.message);
    return undefined;
  }
  if (report && !report.sure && loadAs) report = await tried(file, findings, loadAs, signal);
  if (!report) return undefined;
  const { layout, sure, why } = report;
  if (sure && layout !== 'x86')
    findings.warning(
      'I2_S',
      `the codes stand in the order "${layout}" (${why}); bitnet.cpp on other machines takes them for another and gets noise`,
      'ternlight convert --ternary I2_S writes the order of the published files',
    );
  else if (sure || !report.nll)
    findings.note('I2_S', sure ? `the codes stand in the order of the published files (${why})` : why);
  return report;
}

async function tried(
  file: ModelFile,
  findings: Findings,
  loadAs: (layout: I2sLayout) => Promise<Model>,
  signal: AbortSignal | undefined,
): Promise<LayoutReport | undefined> {
  const nll: Partial<Record<I2sLayout, number>> = {};
  let guessing = 0;
  for (const layout of layouts) {
    if (!isPossible(file, layout)) continue;
    signal?.throwIfAborted();
    let model: Model;
    try {
      model = await loadAs(layout);
    } catch (error) {
      if (!(error instanceof TernlightError) || error.code === 'io') throw error;
      findings.error('I2_S', error.message);
      return undefined;
    }
    try {
      guessing = Math.log(model.info.vocabSize);
      nll[layout] = await meanNll(model, await model.tokenize(prose), signal);
    } finally {
      await model.dispose();
    }
  }
  const ranked = layouts.filter((layout) => nll[layout] !== undefined).sort((a, b) => nll[a]! - nll[b]!);
  const [best, next] = ranked;
  const figures = ranked.map((layout) => `${nll[layout]!.toFixed(2)} as "${layout}"`).join(', ');
  const measured = `English text costs ${figures} nats a token, guessing ${guessing.toFixed(2)}`;
  if (best !== undefined && nll[best]! < guessing - margin && (next === undefined || nll[best]! < nll[next]! - margin))
    return { layout: best, sure: true, why: measured, nll };
  const why =
    best !== undefined && nll[best]! >= guessing - margin
      ? `no order of the codes is better than chance, as with random weights: ${measured}`
      : `the orders of the codes cannot be told apart: ${measured}`;
  findings.warning(
    'I2_S',
    `${why}; taken to be as in all published files`,
    'name the order, if it is known, with --i2s-layout',
  );
  return { layout: 'x86', sure: false, why, nll };
}

function isPossible(file: ModelFile, layout: I2sLayout): boolean {
  try {
    withI2sLayout(file, layout);
    return true;
  } catch {
    return false;
  }
}
