/** The machine architectures for which `helloProgram` has code, as OCI images name them. */
export type Architecture = 'amd64' | 'arm64';

const LOAD_ADDRESS = 0x400000;
const HEADERS_LENGTH = 64 + 56;

/** The architecture of this machine; `amd64` where there is no code for it. */
export function machineArchitecture(): Architecture {
  return process.arch === 'arm64' ? 'arm64' : 'amd64';
}

/** A static Linux program that prints a message (at most 4096 bytes) and ends, so that test images really run. */
export function helloProgram(message: string, architecture: Architecture): Buffer {
  const text = Buffer.from(message);
  const code = architecture === 'amd64' ? codeForAmd64(text.length) : codeForArm64(text.length);
  const body = Buffer.concat([code, text]);
  const machine = architecture === 'amd64' ? 62 : 183;
  return Buffer.concat([elfHeader(machine), programHeader(HEADERS_LENGTH + body.length), body]);
}

/** write(1, text, length); exit(0) with the text right behind the code. */
function codeForAmd64(length: number): Buffer {
  const code = Buffer.from(
    'b801000000' + // mov eax, 1
      'bf01000000' + // mov edi, 1
      '488d3510000000' + // lea rsi, [rip + 16]
      'ba00000000' + // mov edx, length
      '0f05' + // syscall
      'b83c000000' + // mov eax, 60
      '31ff' + // xor edi, edi
      '0f05', // syscall
    'hex',
  );
  code.writeUInt32LE(length, 18);
  return code;
}

function codeForArm64(length: number): Buffer {
  const instructions = [
    0xd2800020, // mov x0, 1
    0x100000e1, // adr x1, text
    0xd2800002 + (length << 5), // mov x2, length
    0xd2800808, // mov x8, 64
    0xd4000001, // svc 0
    0xd2800000, // mov x0, 0
    0xd2800ba8, // mov x8, 93
    0xd4000001, // svc 0
  ];
  const code = Buffer.alloc(instructions.length * 4);
  instructions.forEach((instruction, index) => {
    code.writeUInt32LE(instruction >>> 0, index * 4);
  });
  return code;
}

/** @source System V ABI, ELF-64 object file format */
function elfHeader(machine: number): Buffer {
  const header = Buffer.alloc(64);
  header.write('7f454c46020101', 0, 'hex');
  header.writeUInt16LE(2, 16); // executable
  header.writeUInt16LE(machine, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(LOAD_ADDRESS + HEADERS_LENGTH), 24); // entry
  header.writeBigUInt64LE(64n, 32); // program headers
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt16LE(64, 58);
  return header;
}

function programHeader(length: number): Buffer {
  const header = Buffer.alloc(56);
  header.writeUInt32LE(1, 0); // load
  header.writeUInt32LE(5, 4); // read and execute
  header.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 16);
  header.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 24);
  header.writeBigUInt64LE(BigInt(length), 32);
  header.writeBigUInt64LE(BigInt(length), 40);
  header.writeBigUInt64LE(0x1000n, 48);
  return header;
}
