import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import type { Finished } from './process.ts';

const PULL_IMAGE = '/runtime.v1.ImageService/PullImage';
const TIMEOUT_MS = 90_000;

/**
 * Asks a container runtime for an image as the kubelet does, by the CRI call `PullImage`. Standard output is the text of the
 * error, which Kubernetes shows in a pod's events.
 *
 * @source kubernetes/cri-api pkg/apis/runtime/v1/api.proto; grpc/grpc doc/PROTOCOL-HTTP2.md
 */
export async function pullByCri(socket: string, image: string): Promise<Finished> {
  const session = connectHttp2('http://localhost', { createConnection: () => connect(socket) });
  try {
    const stream = session.request({
      ':method': 'POST',
      ':path': PULL_IMAGE,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.setTimeout(TIMEOUT_MS, () => stream.destroy(new Error('no answer to PullImage')));
    const ended: Record<string, unknown> = {};
    for (const event of ['response', 'trailers'] as const) {
      stream.on(event, (headers: object) => Object.assign(ended, headers));
    }
    stream.resume();
    stream.end(framed(field(1, field(1, Buffer.from(image)))));
    await once(stream, 'close');
    const output = decodeURIComponent(String(ended['grpc-message'] ?? ''));
    return { code: Number(ended['grpc-status'] ?? 2), stdout: output, output };
  } finally {
    session.close();
  }
}

/** A member of a protocol buffer message that has a length. */
function field(number: number, content: Buffer): Buffer {
  const lengthBytes: number[] = [];
  let rest = content.length;
  for (; rest > 0x7f; rest >>= 7) lengthBytes.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...lengthBytes, rest]), content]);
}

function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
