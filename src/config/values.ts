import { isIP } from 'node:net';
import { formatAuthority, parseAuthority } from '../oci/authority.ts';
import { OciError } from '../oci/errors.ts';
import { parseRegistryHost } from '../oci/names.ts';

/** A value read from a text, or what is wrong with the text. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string; readonly fix?: string };

/** Where to listen. */
export interface HostPort {
  /** An IP address, without brackets, or a host name. */
  readonly host: string;
  /** 0 (any free port) to 65535. */
  readonly port: number;
}

const ADDRESS = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9.-]{1,253})):([0-9]{1,5})$/;
const LOOPBACK_V4 = /^127(?:\.[0-9]{1,3}){3}$/;

/** Reads `host:port`; IPv6 addresses stand in brackets, as in `[::1]:5000`. */
export function parseAddress(text: string): Parsed<HostPort> {
  const parts = ADDRESS.exec(text);
  const host = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3]);
  const isHost = host !== undefined && isListenHost(host, parts?.[1] !== undefined);
  if (!isHost) {
    return {
      ok: false,
      problem: 'is not an address',
      fix: 'write host:port, as in 0.0.0.0:5000 or [::1]:5000',
    };
  }
  if (port > 65_535) return { ok: false, problem: 'has a port above 65535' };
  return { ok: true, value: { host, port } };
}

function isListenHost(host: string, isBracketed: boolean): boolean {
  if (isBracketed) return isIP(host) === 6;
  return !/^[0-9.]+$/.test(host) || isIP(host) === 4;
}

/** Reads an `http` or `https` URL without user, password, query or fragment, and cuts slashes off its end. */
export function parseServerUrl(text: string): Parsed<URL> {
  if (!URL.canParse(text) || text.length > 2048) {
    return {
      ok: false,
      problem: 'is not a URL',
      fix: 'write it as https://host or https://host/path',
    };
  }
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    return { ok: false, problem: 'is not an http or https URL', fix: 'begin it with https://' };
  }
  if (url.username !== '' || url.password !== '') {
    return {
      ok: false,
      problem: 'has a user name or password in it',
      fix: 'take them out and use credentials with passwordFile or passwordEnv',
    };
  }
  if (url.search !== '' || url.hash !== '') {
    return { ok: false, problem: 'has a query (?) or fragment (#)', fix: 'leave that part out' };
  }
  url.pathname = url.pathname.replace(/\/+$/, '');
  return { ok: true, value: url };
}

/** Says whether a URL or address leads to this machine only: `localhost`, 127.0.0.0/8 or ::1. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  return bare === 'localhost' || bare === '::1' || LOOPBACK_V4.test(bare);
}

/** Reads a host name, lower case, with its port if it has one: `docker.io`, `registry.example.com:5000`. */
export function parseHostName(text: string): Parsed<string> {
  if (text === 'index.docker.io' || text === 'registry-1.docker.io') {
    return {
      ok: false,
      problem: 'is not the name that images of Docker Hub are called by',
      fix: 'write docker.io here; the server goes into url',
    };
  }
  if (text !== text.toLowerCase()) {
    return { ok: false, problem: 'is not in lower case', fix: `write ${text.toLowerCase()}` };
  }
  try {
    return { ok: true, value: parseRegistryHost(text) };
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    return {
      ok: false,
      problem: 'is not a host name',
      fix: 'write host or host:port, without https:// and without a path',
    };
  }
}

/** Reads a host, with a port or without, in the one spelling that equal ones share: `hub.example.com`, `[::1]:5000`. */
export function parseOwnHost(text: string): Parsed<string> {
  try {
    const spelt = formatAuthority(parseAuthority(text));
    return spelt === text
      ? { ok: true, value: text }
      : { ok: false, problem: 'is not in the usual spelling', fix: `write ${spelt}` };
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    return {
      ok: false,
      problem: 'is not a host name',
      fix: 'write host or host:port, without https:// and without a path',
    };
  }
}

/** Says whether a value is an object with members, not a list. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Writes an address as `parseAddress` reads it. */
export function formatAddress(address: HostPort): string {
  return address.host.includes(':')
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}
