export const encodeChat: any = () => []; // placeholder
