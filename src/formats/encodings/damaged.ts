// The two ways in which ternary data can be impossible. The caller adds the tensor's name.

import { TernlightError } from '../../errors.ts';

export function damaged(encoding: string): TernlightError {
  return new TernlightError(
    'invalid-file',
    `${encoding}: the data holds a code 3, expected 0, 1 or 2; the file is damaged or is not really ${encoding}`,
  );
}

export function badScale(encoding: string): TernlightError {
  return new TernlightError(
    'invalid-file',
    `${encoding}: the data holds a scale that is infinite or not a number, expected finite ones; the file is damaged`,
  );
}
