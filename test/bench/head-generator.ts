import { connect, type Socket } from 'node:net';

/**
 * A load generator for HEAD, which wrk cannot send: it would wait for the body that `Content-Length` names. Sends one
 * request after the other over each connection for some seconds and prints a report as the script for wrk does.
 * Arguments: base URL, path, header fields as JSON, connections, seconds.
 */
const [url = '', path = '', fields = '{}', connections = '1', seconds = '1'] =
  process.argv.slice(2);
const { hostname, port, host } = new URL(url);
const headers: Record<string, string> = JSON.parse(fields);
const lines = Object.entries({ Host: host, ...headers }).map(
  ([name, value]) => `${name}: ${value}`,
);
const request = `HEAD ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;

/** Microseconds of each answer; as many as fit. */
const micros = new Uint32Array(8_000_000);
const seen = { requests: 0, bytes: 0, connect: 0, read: 0, status: 0 };
let isOver = false;

function open(): Socket {
  const socket = connect(Number(port), hostname).setNoDelay(true).setEncoding('latin1');
  let sentAt = 0;
  let answer = '';
  const send = (): void => {
    sentAt = performance.now();
    socket.write(request, 'latin1');
  };
  socket.on('connect', send);
  socket.on('data', (text: string) => {
    answer = answer === '' ? text : answer + text;
    if (!answer.endsWith('\r\n\r\n') || isOver) return;
    micros[seen.requests] = (performance.now() - sentAt) * 1000;
    seen.requests += 1;
    seen.bytes += answer.length;
    if (!answer.startsWith('HTTP/1.1 200 ')) seen.status += 1;
    answer = '';
    send();
  });
  socket.on('error', () => {
    if (!isOver && socket.connecting) seen.connect += 1;
  });
  socket.on('close', () => {
    if (!isOver) seen.read += 1;
  });
  return socket;
}

const begin = performance.now();
const sockets = Array.from({ length: Number(connections) }, open);
setTimeout(() => {
  isOver = true;
  const took = performance.now() - begin;
  for (const socket of sockets) socket.destroy();
  const sorted = micros.subarray(0, seen.requests).sort();
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  const times = { micros: Math.round(took * 1000), p50: at(0.5), p99: at(0.99) };
  process.stdout.write(`report ${JSON.stringify({ ...seen, ...times, write: 0, timeout: 0 })}\n`);
}, Number(seconds) * 1000);
