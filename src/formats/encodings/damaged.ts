// The ways in which data can be impossible to read or to write. The caller adds the tensor's name.

import { TernlightError } from '../../errors.ts';

export function damaged(encoding: string, cure = `the file is damaged or is not really ${encoding}`): TernlightError {
  return new TernlightError('invalid-file', `${encoding}: the data holds a code 3, expected 0, 1 or 2; ${cure}`);
}

export function badScale(encoding: string): TernlightError {
  return new TernlightError(
    'invalid-file',
    `${encoding}: the data holds a scale that is infinite or not a number, expected finite ones; the file is damaged`,
  );
}

export function badCode(encoding: string): TernlightError {
  return new TernlightError('internal', `${encoding}: a code to be written is above 2, expected 0, 1 or 2`);
}

export function unwritableScale(encoding: string): TernlightError {
  return new TernlightError(
    'unsupported',
    `${encoding}: a scale to be written is not finite or above 65504, the most that f16 holds; the numbers are damaged or need another encoding`,
  );
}
