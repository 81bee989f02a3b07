// Names of models on Hugging Face: "hf:owner/repo", "hf:owner/repo/file", "...@revision". Checked to the letter: they go
// into addresses.

import { TernlightError } from '../errors.ts';

export interface HubName {
  readonly owner: string;
  readonly repo: string;
  /** Path in the repository, with "/". */
  readonly file: string | undefined;
  /** Branch, tag or commit. */
  readonly revision: string;
}

/** Where names lead unless said otherwise. */
export const defaultHub = 'https://huggingface.co';

const prefix = 'hf:';
const form = 'hf:owner/repo, hf:owner/repo/file or either with @revision';
const part = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?$/;
const maxChars = 512;

/** Whether a source is meant as a name of the hub: nothing else begins so. */
export function isHubName(text: string): boolean {
  return text.startsWith(prefix);
}

/** Throws 'invalid-option' naming what is wrong. */
export function parseHubName(text: string): HubName {
  const fault = (what: string) =>
    new TernlightError('invalid-option', `hub: ${JSON.stringify(text.slice(0, 120))} ${what}, expected ${form}`);
  if (!isHubName(text)) throw fault('is no name of the hub');
  if (text.length > maxChars) throw fault(`has ${text.length} characters`);
  const at = text.indexOf('@');
  const revision = at < 0 ? 'main' : text.slice(at + 1);
  const [owner = '', repo = '', ...path] = text.slice(prefix.length, at < 0 ? undefined : at).split('/');
  for (const [what, name] of [
    ['owner', owner],
    ['repository', repo],
  ] as const) {
    if (name === '') throw fault(`has no ${what}`);
    if (!part.test(name) || name.length > 96 || /--|\.\./.test(name))
      throw fault(`has the ${what} ${JSON.stringify(name)}`);
  }
  const segment = /^[\w][\w.+=-]*$/;
  if (!revision.split('/').every((name) => segment.test(name) && !name.includes('..')))
    throw fault(`has the revision ${JSON.stringify(revision)}`);
  if (!path.every((name) => segment.test(name) && !name.includes('..')))
    throw fault(`has the file ${JSON.stringify(path.join('/'))}`);
  return { owner, repo, file: path.length > 0 ? path.join('/') : undefined, revision };
}

/**
 * The address of the file, or of the folder that the repository's files are in.
 * @param base default "https://huggingface.co"; throws 'invalid-option' unless it is an http(s) address
 */
export function hubAddress({ owner, repo, file, revision }: HubName, base: string = defaultHub): string {
  const root = URL.canParse(base) ? new URL(base) : undefined;
  if (!root || !/^https?:$/.test(root.protocol) || root.search || root.hash) {
    throw new TernlightError(
      'invalid-option',
      `hub: the hub's address is ${JSON.stringify(base)}, expected one like ${defaultHub}`,
    );
  }
  // The slashes of a revision are part of it.
  const path = `${owner}/${repo}/resolve/${encodeURIComponent(revision)}${file === undefined ? '' : `/${file}`}`;
  return `${root.href.replace(/\/+$/, '')}/${path}`;
}
