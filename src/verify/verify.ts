// What a model file is and whether it is sound: structure, metadata, tokenizer, every weight. The only file here that
// sees all the checks.

import type { I2sLayout } from '../formats/encodings/index.ts';
import { withI2sLayout } from '../formats/i2s-layout.ts';
import type { ModelFile } from '../formats/types.ts';
import { vocabularyFamily } from '../hub/vocabularies.ts';
import { checkData, type DataOptions } from './check-data.ts';
import { checkLayout, type LayoutOptions, type LayoutReport } from './check-layout.ts';
import { checkMetadata, resembles } from './check-metadata.ts';
import { checkStructure } from './check-structure.ts';
import { checkTokenizer } from './check-tokenizer.ts';
import { type Finding, Findings } from './finding.ts';

export interface VerifyOptions extends DataOptions, LayoutOptions {
  /** Looks at the header only: no weight is read, no model run. Default false. */
  quick?: boolean;
  /** The order of I2_S codes, where it is known; undefined: it is found out. */
  i2sLayout?: I2sLayout;
}

export interface EncodingCount {
  readonly name: string;
  readonly family: 'ternary' | 'binary' | 'dense';
  readonly tensors: number;
  readonly weights: number;
  readonly bytes: number;
}

export interface Verification {
  readonly source: string;
  readonly format: string;
  readonly architecture: string | undefined;
  /** The published model of this shape. */
  readonly resembles: string | undefined;
  /** "Llama-3" and the like, where the vocabulary is a known one. */
  readonly vocabulary: string | undefined;
  readonly encodings: readonly EncodingCount[];
  readonly i2s: LayoutReport | undefined;
  /** Of the ternary weights, those that are 0; undefined where there are none or nothing was read. */
  readonly zeroShare: number | undefined;
  /** Of tensors, read and checked. */
  readonly checkedBytes: number;
  /** Errors first. */
  readonly findings: readonly Finding[];
}

/** Throws 'io' where the file cannot be read, and the signal's reason; what is wrong with the file is a finding. */
export async function verifyModel(file: ModelFile, options: VerifyOptions = {}): Promise<Verification> {
  const findings = new Findings();
  checkStructure(file, findings);
  checkMetadata(file, findings);
  checkTokenizer(file, findings);
  const { quick, i2sLayout } = options;
  const i2s = quick || i2sLayout ? undefined : await checkLayout(file, findings, options);
  const data = quick ? undefined : await checkData(i2s ? withI2sLayout(file, i2s.layout) : file, findings, options);
  const order = ['error', 'warning', 'note'];
  return {
    source: file.source.name,
    format: file.format,
    architecture: file.metadata.string('general.architecture'),
    resembles: resembles(file),
    vocabulary: vocabularyFamily(file.metadata)?.name,
    encodings: encodingCounts(file),
    i2s,
    zeroShare: data?.zeroShare,
    checkedBytes: data?.bytes ?? 0,
    findings: findings.all.sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level)),
  };
}

/** The most weights first. */
function encodingCounts({ tensors }: ModelFile): EncodingCount[] {
  const counts = new Map<string, EncodingCount>();
  for (const { encoding, dims, lengthBytes } of tensors) {
    const { name, family } = encoding;
    const before = counts.get(name) ?? { name, family, tensors: 0, weights: 0, bytes: 0 };
    counts.set(name, {
      ...before,
      tensors: before.tensors + 1,
      weights: before.weights + dims.reduce((product, dim) => product * dim, 1),
      bytes: before.bytes + lengthBytes,
    });
  }
  return [...counts.values()].sort((a, b) => b.weights - a.weights);
}
