export declare const runtimeNames: readonly string[];
export declare function runtime(name: string): { spec: string; place: string; program: string };
