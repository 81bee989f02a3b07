// Files dropped anywhere on the page. They are handed on as files: nobody reads them here.
import { part } from './dom.ts';

export function startFileDrop(onFiles: (files: readonly File[]) => void): void {
  const overlay = part('drop', 'div');
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
  addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault(); // else the browser opens the file
    overlay.hidden = false;
  });
  addEventListener('dragleave', (event) => {
    // Into another element of the page it is no leaving.
    if (!event.relatedTarget) overlay.hidden = true;
  });
  addEventListener('drop', (event) => {
    overlay.hidden = true;
    if (!hasFiles(event)) return;
    event.preventDefault();
    onFiles([...(event.dataTransfer?.files ?? [])]);
  });
}
