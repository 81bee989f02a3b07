// Names of the hub, letter by letter.
import { describe, expect, it } from 'vitest';
import { hubAddress, isHubName, parseHubName } from '../../src/hub/hub-name.ts';

describe('a name', () => {
  it.each([
    ['hf:owner/repo', 'owner', 'repo', undefined, 'main'],
    ['hf:1bitLLM/bitnet_b1_58-3B', '1bitLLM', 'bitnet_b1_58-3B', undefined, 'main'],
    ['hf:o/r/model.gguf', 'o', 'r', 'model.gguf', 'main'],
    ['hf:o/r/a/b-c.d/e_f.bin', 'o', 'r', 'a/b-c.d/e_f.bin', 'main'],
    ['hf:o/r@v1.0', 'o', 'r', undefined, 'v1.0'],
    ['hf:o/r/m.gguf@refs/pr/7', 'o', 'r', 'm.gguf', 'refs/pr/7'],
    ['hf:o/r@0123456789abcdef', 'o', 'r', undefined, '0123456789abcdef'],
  ])('%s', (text, owner, repo, file, revision) => {
    expect(isHubName(text)).toBe(true);
    expect(parseHubName(text)).toEqual({ owner, repo, file, revision });
  });

  it.each([
    ['hf:', 'has no owner'],
    ['hf:/repo', 'has no owner'],
    ['hf:owner', 'has no repository'],
    ['hf:owner/', 'has no repository'],
    ['hf:owner/@main', 'has no repository'],
    ['hf:../etc', 'has the owner ".."'],
    ['hf:owner/..', 'has the repository ".."'],
    ['hf:-owner/repo', 'has the owner "-owner"'],
    ['hf:owner/repo.', 'has the repository "repo."'],
    ['hf:owner/re--po', 'has the repository "re--po"'],
    ['hf:owner/re%2fpo', 'has the repository "re%2fpo"'],
    ['hf:owner/repo?x=1', 'has the repository "repo?x=1"'],
    ['hf:owner/repo#x', 'has the repository "repo#x"'],
    ['hf:owner/re po', 'has the repository "re po"'],
    ['hf:owner/r\u00e9po', 'has the repository "r\u00e9po"'],
    ['hf:owner\\repo', 'has the owner "owner\\\\repo"'],
    [`hf:owner/${'r'.repeat(97)}`, `has the repository "${'r'.repeat(97)}"`],
    ['hf:owner/repo/', 'has the file ""'],
    ['hf:owner/repo/a//b', 'has the file "a//b"'],
    ['hf:owner/repo/../../x', 'has the file "../../x"'],
    ['hf:owner/repo/a/./b', 'has the file "a/./b"'],
    ['hf:owner/repo/.hidden', 'has the file ".hidden"'],
    ['hf:owner/repo/a%00', 'has the file "a%00"'],
    ['hf:owner/repo/a b', 'has the file "a b"'],
    ['hf:owner/repo@', 'has the revision ""'],
    ['hf:owner/repo@a@b', 'has the revision "a@b"'],
    ['hf:owner/repo@a..b', 'has the revision "a..b"'],
    ['hf:owner/repo@../x', 'has the revision "../x"'],
    [`hf:owner/repo/${'f'.repeat(600)}`, 'has 614 characters'],
    ['http://owner/repo', 'is no name of the hub'],
  ])('%s is none', (text, what) => {
    let error: unknown;
    try {
      parseHubName(text);
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({ code: 'invalid-option' });
    const { message } = error as Error;
    expect(message.startsWith(`hub: ${JSON.stringify(text.slice(0, 120))} ${what}, expected hf:owner/repo, `)).toBe(
      true,
    );
  });

  it('is told from paths and addresses', () => {
    for (const text of ['model.gguf', 'https://huggingface.co/a/b', 'HF:a/b', 'x/hf:a/b'])
      expect(isHubName(text)).toBe(false);
  });
});

describe('an address', () => {
  const name = { owner: 'o', repo: 'r', file: undefined, revision: 'main' };

  it.each([
    [name, undefined, 'https://huggingface.co/o/r/resolve/main'],
    [{ ...name, file: 'a/b.gguf' }, undefined, 'https://huggingface.co/o/r/resolve/main/a/b.gguf'],
    [{ ...name, revision: 'refs/pr/7' }, undefined, 'https://huggingface.co/o/r/resolve/refs%2Fpr%2F7'],
    [name, 'http://127.0.0.1:8080/', 'http://127.0.0.1:8080/o/r/resolve/main'],
    [name, 'https://mirror.example/hf//', 'https://mirror.example/hf/o/r/resolve/main'],
  ])('%j at %s', (name, base, address) => {
    expect(hubAddress(name, base)).toBe(address);
  });

  it.each(['', 'huggingface.co', 'file:///etc', 'https://x.example/?a=b', 'https://x.example/#a'])(
    'has no base %j',
    (base) => {
      expect(() => hubAddress(name, base)).toThrow(
        `hub: the hub's address is ${JSON.stringify(base)}, expected one like https://huggingface.co`,
      );
    },
  );
});
