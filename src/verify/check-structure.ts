// Whether a file is a whole model: its architecture, the shapes of its tensors, its size, what is between them.

import { TernlightError } from '../errors.ts';
import type { ModelFile } from '../formats/types.ts';
import { type Understood, understand } from '../understand.ts';
import type { Findings } from './finding.ts';

/** What the runtime would make of it; undefined where it would refuse. */
export function checkStructure(file: ModelFile, findings: Findings): Understood | undefined {
  checkSize(file, findings);
  checkEncodings(file, findings);
  if (file.tensors.length === 0) {
    findings.note('file', 'it has no tensors: a vocabulary, which can only tokenize');
    return undefined;
  }
  try {
    const understood = understand(file, {});
    for (const note of understood.notes) findings.note('file', note);
    return understood;
  } catch (error) {
    if (!(error instanceof TernlightError)) throw error;
    findings.error('file', error.message);
    return undefined;
  }
}

/** The header is followed by the tensors, and the tensors by nothing. */
function checkSize({ source, format, tensors }: ModelFile, findings: Findings): void {
  const last = tensors.at(-1);
  if (!last || !format.startsWith('GGUF')) return; // other readers demand it themselves
  const end = last.offsetBytes + last.lengthBytes;
  const extra = (source.byteLength ?? end) - end;
  // A writer pads the last tensor too; general.alignment is rarely above this.
  if (extra > 4096)
    findings.warning('file', `${extra} bytes follow the last tensor, expected padding at most`, 'download it again');
  let hidden = 0;
  for (let i = 1; i < tensors.length; i++) {
    const before = tensors[i - 1]!;
    if (tensors[i]!.offsetBytes - before.offsetBytes - before.lengthBytes > 4096) hidden++;
  }
  if (hidden > 0)
    findings.warning('file', `there is data that belongs to no tensor between ${hidden} of them`, 'convert it anew');
}

/** Which dialect, where a type id has more than one, and who else can read it. */
function checkEncodings({ tensors }: ModelFile, findings: Findings): void {
  const count = (name: string) => tensors.filter(({ encoding }) => encoding.name === name).length;
  const said = (name: string, what: string, cure?: string) => {
    if (count(name) > 0) findings.note(name, `${count(name)} tensors: ${what}`, cure);
  };
  said(
    'Q2_0 (128)',
    "groups of 128, PrismML's first form; mainline llama.cpp takes type id 42 for groups of 64 and gets noise",
    'other engines want ternlight convert, or the -PQ2_0 or -Q2_0_g64 file of the same model',
  );
  said('Q2_0', 'groups of 64, the form of mainline llama.cpp');
  said('PQ2_0', "only PrismML's llama.cpp knows it beside ternlight");
  said('PTQ1_0', "only PrismML's llama.cpp knows it beside ternlight");
  findings.tensors(
    'note',
    tensors.filter(({ encoding, dims }) => encoding.id === 36 && dims[0]! % 128 !== 0).map(({ name }) => name),
    'I2_S with rows that are no multiple of 128: right here, wrong in the kernels of bitnet.cpp',
  );
}
