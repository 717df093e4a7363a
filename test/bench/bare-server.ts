import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

/**
 * The floor: a `node:http` server that sends one file's bytes for every request and does nothing else.
 * Arguments: port, file, media type.
 */
const [port = '0', file = '', mediaType = ''] = process.argv.slice(2);
const bytes = readFileSync(file);
const body = bytes.length <= 64 * 1024 ? bytes.toString('latin1') : bytes;
const headers = ['Content-Type', mediaType, 'Content-Length', String(bytes.length)];

createServer((request, response) => {
  response.writeHead(200, headers);
  if (request.method === 'HEAD') response.end();
  else response.end(body, 'latin1');
}).listen(Number(port), '127.0.0.1');
