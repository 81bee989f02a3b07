// Remembers the ids of words: most words of a text have been seen before. Knows nothing of how they are made.

const maxWords = 20000;
/**
 * In UTF-16 units. Longer words seldom come twice, and V8 makes substrings from 13 on views that would keep the whole
 * text they were cut from alive. (64 was 5 % slower on WikiText.)
 */
const maxWordLength = 12;

export class WordCache {
  private readonly known = new Map<string, readonly number[]>();

  constructor(private readonly encodeWord: (word: string) => readonly number[]) {}

  /** Appends to `ids` the ids of each word. */
  encode(words: readonly string[], ids: number[]): void {
    for (const word of words) {
      let found = this.known.get(word);
      if (!found) {
        found = this.encodeWord(word);
        if (word.length <= maxWordLength) {
          if (this.known.size >= maxWords) this.known.clear();
          this.known.set(word, found);
        }
      }
      for (const id of found) ids.push(id);
    }
  }
}
