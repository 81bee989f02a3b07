// A turn in a process of its own, of a Node of choice.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const child = fileURLToPath(new URL('child.mjs', import.meta.url));

export function turnInNode(module, options, { node = process.execPath, limitMs }) {
  return new Promise((resolve, reject) => {
    const { NODE_OPTIONS: _, ...env } = process.env;
    const started = fork(child, [module, JSON.stringify(options)], {
      ...{ execPath: node, execArgv: [], env, timeout: limitMs, killSignal: 'SIGKILL' },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let stderr = '';
    let answer;
    started.stderr.setEncoding('utf8').on('data', (text) => {
      stderr = (stderr + text).slice(-2000);
    });
    started.on('message', (message) => {
      answer = message;
    });
    started.on('error', reject);
    started.on('close', (code, signal) => {
      if (answer?.result) resolve(answer.result);
      else reject(new Error(answer?.error ?? `${module}: the process ended (${signal ?? code}): ${stderr.trim()}`));
    });
  });
}
