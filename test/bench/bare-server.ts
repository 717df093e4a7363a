import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

/**
 * The floor: a `node:http` server that sends the same answer whatever is asked, and does nothing else.
 * Arguments: port, file with the body, header fields as JSON (alternately names and values).
 */
const [port = '0', file = '', fields = '[]'] = process.argv.slice(2);
const bytes = readFileSync(file);
const body = bytes.length <= 64 * 1024 ? bytes.toString('latin1') : bytes;
const headers: string[] = JSON.parse(fields);

createServer((request, response) => {
  response.writeHead(200, headers);
  if (request.method === 'HEAD') response.end();
  else response.end(body, 'latin1');
}).listen(Number(port), '127.0.0.1');
