// The one error class of the project. Text reads "where: what, got X, expected Y; the cure if known".

export type ErrorCode =
  /** An option or argument is not usable as given. */
  | 'invalid-option'
  /** A model file breaks its own format: truncated, overlapping, impossible counts. */
  | 'invalid-file'
  /** A well-formed file that needs something ternlight does not do. */
  | 'unsupported'
  /** A file or address could not be read. */
  | 'io'
  /** Something could not be kept on this machine, or is not kept: no space, no permission, nothing there. */
  | 'storage'
  /** The prompt and what is asked for do not fit the context. */
  | 'context-full'
  /** The environment lacks something: WebAssembly SIMD, memory, workers. */
  | 'environment'
  /** A chat template cannot be rendered. */
  | 'template'
  /** The model, session or generation was disposed before this call. */
  | 'disposed'
  /** A fault of ternlight itself. */
  | 'internal';

export class TernlightError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'TernlightError';
    this.code = code;
  }
}
