// placeholder until the real one lands
export const exp = Math.exp,
  log = Math.log;
