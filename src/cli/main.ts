// The entry of the command line: the process's own streams, signals and exit code. Everything else is in cli.ts.
import { cli } from './cli.ts';
import { processIo } from './io.ts';

// Not process.exit(): what is still on its way through a pipe would be lost.
process.exitCode = await cli(process.argv.slice(2), processIo());
