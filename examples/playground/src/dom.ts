// Elements found and made. Text only ever becomes text: nothing here parses HTML.

/** The element of index.html with this id; throws where it is not one of that kind. */
export function part<K extends keyof HTMLElementTagNameMap>(id: string, tag: K): HTMLElementTagNameMap[K] {
  const found = document.getElementById(id);
  if (found?.localName !== tag) throw new Error(`index.html: #${id} is ${found?.localName}, expected ${tag}`);
  return found as HTMLElementTagNameMap[K];
}

/** A new element; children are elements, or text. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Terms and what they are, for a description list. */
export function terms(list: readonly (readonly [term: string, detail: string])[]): HTMLElement[] {
  return list.flatMap(([term, detail]) => [make('dt', {}, term), make('dd', {}, detail)]);
}
