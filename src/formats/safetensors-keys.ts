// JSON.parse keeps the last of two equal keys without a word; a table of tensors must not have any.

/** The first key of the outermost object that is there twice. @param text valid JSON */
export function repeatedKey(text: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  let isKey = false;
  for (let at = 0; at < text.length; at++) {
    const unit = text[at]!;
    if (unit === '{' || unit === '[') {
      depth++;
      isKey = unit === '{';
    } else if (unit === '}' || unit === ']') depth--;
    else if (unit === ',') isKey = true;
    else if (unit === ':') isKey = false;
    else if (unit === '"') {
      const begin = at;
      for (at++; text[at] !== '"'; at++) if (text[at] === '\\') at++;
      if (depth !== 1 || !isKey) continue;
      const key = JSON.parse(text.slice(begin, at + 1)) as string;
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return undefined;
}
