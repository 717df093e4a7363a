import { createWriteStream, readFileSync } from 'node:fs';
import { createServer } from 'node:http';

/**
 * The floor: a `node:http` server that sends the same answer whatever is asked, and does nothing else.
 * Arguments: port, file with the body, header fields as JSON (alternately names and values), and the file of a request log
 * if there is to be one: a line of JSON for each.
 */
const [port = '0', file = '', fields = '[]', logFile = ''] = process.argv.slice(2);
const bytes = readFileSync(file);
const body = bytes.length <= 64 * 1024 ? bytes.toString('latin1') : bytes;
const headers: string[] = JSON.parse(fields);
const log = logFile === '' ? undefined : createWriteStream(logFile);

createServer((request, response) => {
  response.writeHead(200, headers);
  if (request.method === 'HEAD') response.end();
  else response.end(body, 'latin1');
  const { method, url } = request;
  log?.write(`${JSON.stringify({ time: Date.now(), method, url, status: 200 })}\n`);
}).listen(Number(port), '127.0.0.1');
