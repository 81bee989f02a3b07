// Hyper-parameters that are probably not the model's: what a converter left out or got wrong without anybody noticing,
// because the file loads and answers all the same.

import type { Metadata, ModelFile } from '../formats/types.ts';
import { knownModels } from '../hub/known-models.ts';
import { vocabularyFamily } from '../hub/vocabularies.ts';
import type { Findings } from './finding.ts';

export function checkMetadata(file: ModelFile, findings: Findings): void {
  const { metadata } = file;
  const architecture = metadata.string('general.architecture') ?? '';
  checkRope(metadata, architecture, findings);
  checkActivation(metadata, architecture, file, findings);
  const eps = metadata.float(`${architecture}.attention.layer_norm_rms_epsilon`);
  if (eps !== undefined && (eps < 1e-8 || eps > 1e-3))
    findings.warning(`${architecture}.attention.layer_norm_rms_epsilon`, `is ${eps}, expected 1e-6 to 1e-5`);
  const context = metadata.integer(`${architecture}.context_length`);
  if (context !== undefined && context < 128)
    findings.warning(`${architecture}.context_length`, `is ${context}, expected hundreds of tokens at least`);
  checkFileType(file, findings);
}

function checkRope(metadata: Metadata, architecture: string, findings: Findings): void {
  const key = `${architecture}.rope.freq_base`;
  const family = vocabularyFamily(metadata);
  const base = metadata.float(key);
  if (family && !family.ropeBases.some((known) => Math.abs((base ?? 10000) / known - 1) < 1e-3)) {
    const expected = family.ropeBases.join(' or ');
    const what = `${base === undefined ? 'is missing, which means 10000' : `is ${base}`}, expected ${expected} with the ${family.name} vocabulary`;
    if (base === undefined || base === 10000)
      findings.warning(key, `${what}; answers get worse with every position`, 'convert the model anew, or set the key');
    else findings.note(key, what);
  }
  const scaling = `${architecture}.rope.scaling`;
  if (
    metadata.string(`${scaling}.type`) === 'yarn' &&
    metadata.integer(`${scaling}.original_context_length`) === undefined
  )
    findings.warning(
      `${scaling}.original_context_length`,
      'is missing, which means the context length; YaRN needs the length before it was stretched',
      'convert the model anew, or set the key',
    );
}

/** Converters before the key wrote 2B-4T so that everybody gates it by SiLU: text comes, and it is nonsense. */
function checkActivation(metadata: Metadata, architecture: string, { tensors }: ModelFile, findings: Findings): void {
  if (architecture !== 'bitnet' || metadata.has('bitnet.hidden_activation')) return;
  const embedding = tensors.find(({ name }) => name === 'token_embd.weight');
  const dim = embedding?.dims[0];
  if (dim === 2560 && embedding?.dims[1] === 128256)
    findings.error(
      'bitnet.hidden_activation',
      'is missing, which means SiLU, in a file of the shape of BitNet b1.58 2B-4T, which needs "relu2"',
      'convert hf:microsoft/bitnet-b1.58-2B-4T-gguf anew, or set the key',
    );
}

/** Who decides by it decides wrongly: 40 is I2_S to bitnet.cpp and Q1_0 to llama.cpp. */
function checkFileType({ metadata, tensors }: ModelFile, findings: Findings): void {
  const type = metadata.integer('general.file_type');
  const meant = new Map([
    [36, ['TQ1_0']],
    [37, ['TQ2_0']],
    [40, ['I2_S', 'Q1_0']],
  ]).get(type ?? -1);
  if (!meant || tensors.some(({ encoding }) => meant.some((name) => encoding.name.startsWith(name)))) return;
  findings.note('general.file_type', `is ${type} (${meant.join(' or ')}), but no tensor is of that type`);
}

/** The published model of this shape and encoding, if there is one; for a note, not for decisions. */
export function resembles({ metadata, tensors }: ModelFile): string | undefined {
  const architecture = metadata.string('general.architecture');
  const integer = (name: string) => metadata.perLayer(`${architecture}.${name}`, 0);
  const rows = tensors.find(({ name }) => name === 'token_embd.weight')?.dims[1];
  const found = knownModels.find(
    ({ shape }) =>
      shape.vocabSize === rows &&
      shape.nLayers === integer('block_count') &&
      shape.dim === integer('embedding_length') &&
      (shape.kind === 'bitmamba' || shape.hiddenDim === integer('feed_forward_length')),
  );
  return found?.name.replace(/ \(.*/, '');
}
