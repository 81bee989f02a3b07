export interface Sent {
  readonly path: string;
  readonly status: number;
  /** Of the body, compressed where it was. */
  readonly bytes: number;
}

export interface FolderServer {
  readonly origin: string;
  /** In order; may be emptied. */
  readonly sent: Sent[];
  /** Changes a file's content without touching it. */
  replace(path: string, text: string): void;
  close(): Promise<void>;
}

/** Serves `folder` below `base` ('/' or '/name/'). Defaults: isolated, any free port, '/'. */
export declare function serveFolder(
  folder: string,
  options?: { isolated?: boolean; port?: number; base?: string },
): Promise<FolderServer>;
