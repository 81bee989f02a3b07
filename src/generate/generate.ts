export const generate: any = () => {}; // placeholder
