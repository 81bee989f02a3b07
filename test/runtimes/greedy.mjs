// What every context of a page has to do: plain JavaScript, so that pages, workers, extensions and webviews run it as it is.

/** Greedy ids of the packaged model (or another), where it ran and what it says; `error` in their place where it fails. */
export async function greedy({ load }, { source, ...options } = {}) {
  try {
    const model = await load(source, { threads: 2, ...options });
    const { ids } = await model.generate('Once upon a time', { temperature: 0, maxTokens: 24 }).summary();
    const { threads, notes, threadsNote } = model.info;
    await model.dispose();
    return { ids, threads, notes, threadsNote };
  } catch (error) {
    return { error: `${error.code}: ${error.message}` };
  }
}
