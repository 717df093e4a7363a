import { type ProblemCase, testProblems } from './problem-cases.ts';

const LISTENER = 'registry: { address: 127.0.0.1:5000 }';
const UPSTREAM = 'registry.example.com: { url: https://registry.example.com }';
const UPSTREAM_PATH = 'upstreams["registry.example.com"]';

const CASES: readonly ProblemCase[] = [
  {
    name: 'listener on something like an IP address',
    change: ['127.0.0.1:5000', '999.0.0.1:5000'],
    paths: ['listeners.registry.address'],
  },
  {
    name: 'data missing',
    change: ['data: /var/lib/pinnace\n', ''],
    paths: ['data'],
    fix: '/var/lib/pinnace',
  },
  { name: 'data a number', change: ['/var/lib/pinnace', '7'], paths: ['data'], fix: 'quotes' },
  {
    name: 'misspelt top key',
    change: ['data: /var', 'data: /var\nchache: {}\n#'],
    paths: ['chache'],
    fix: 'cache',
  },
  {
    name: 'unknown key far from any other',
    change: ['data:', 'zzzzzz: 1\ndata:'],
    paths: ['zzzzzz'],
    fix: 'listeners',
  },
  {
    name: 'misspelt nested key',
    change: [LISTENER, 'registry: { address: 127.0.0.1:5000, refusel: deny }'],
    paths: ['listeners.registry.refusel'],
    fix: 'refusal',
  },
  { name: 'no listener', change: [LISTENER, '{}'], paths: ['listeners'] },
  {
    name: 'listener with a bad name',
    change: [LISTENER, LISTENER.replace('registry:', 'My_Registry:')],
    paths: ['listeners.My_Registry'],
  },
  {
    name: 'listener named __proto__',
    change: [LISTENER, `${LISTENER}\n  __proto__: { address: 127.0.0.1:5001 }`],
    paths: ['listeners.__proto__'],
  },
  {
    name: 'listener without port',
    change: ['127.0.0.1:5000', '127.0.0.1'],
    paths: ['listeners.registry.address'],
    fix: 'host:port',
  },
  {
    name: 'listener port too high',
    change: ['127.0.0.1:5000', '127.0.0.1:70000'],
    paths: ['listeners.registry.address'],
  },
  {
    name: 'listener with the port of admin',
    change: ['127.0.0.1:5000', '0.0.0.0:9090'],
    paths: ['admin.address'],
  },
  {
    name: 'two listeners on one port',
    change: [LISTENER, `${LISTENER}\n  other: { address: "[::]:5000" }`],
    paths: ['listeners.other.address'],
  },
  {
    name: 'localhost is 127.0.0.1',
    change: [LISTENER, `${LISTENER}\n  other: { address: localhost:5000 }`],
    paths: ['listeners.other.address'],
  },
  {
    name: 'misspelt refusal',
    change: [LISTENER, 'registry: { address: 127.0.0.1:5000, refusal: hardstop }'],
    paths: ['listeners.registry.refusal'],
    fix: 'hard-stop',
  },
  {
    name: 'a platform without its architecture',
    change: [LISTENER, 'registry: { address: 127.0.0.1:5000, completePlatforms: [linux] }'],
    paths: ['listeners.registry.completePlatforms[0]'],
    fix: 'linux/amd64',
  },
  {
    name: 'no time to complete an image in',
    change: [LISTENER, 'registry: { address: 127.0.0.1:5000, completeWithin: 0s }'],
    paths: ['listeners.registry.completeWithin'],
  },
  {
    name: 'defaultRegistry without upstream',
    change: [LISTENER, 'registry: { address: 127.0.0.1:5000, defaultRegistry: quay.io }'],
    paths: ['listeners.registry.defaultRegistry'],
    fix: 'upstreams',
  },
  {
    name: 'host name that stands for a registry without upstream',
    change: [LISTENER, 'registry: { address: 127.0.0.1:5000, hosts: { a.example: quay.io } }'],
    paths: ['listeners.registry.hosts["a.example"]'],
    fix: 'upstreams',
  },
  {
    name: 'host name in another spelling',
    change: [
      LISTENER,
      'registry: { address: 127.0.0.1:5000, hosts: { A.example.: registry.example.com } }',
    ],
    paths: ['listeners.registry.hosts["A.example."]'],
    fix: 'a.example',
  },
  {
    name: 'host name with a path',
    change: [
      LISTENER,
      'registry: { address: 127.0.0.1:5000, hosts: { a.example/x: registry.example.com } }',
    ],
    paths: ['listeners.registry.hosts["a.example/x"]'],
    fix: 'host:port',
  },
  {
    name: 'host name that stands for something else than a registry',
    change: [LISTENER, 'registry: { address: 127.0.0.1:5000, hosts: { a.example: "https://x" } }'],
    paths: ['listeners.registry.hosts["a.example"]'],
  },
  {
    name: 'tls without key',
    change: [LISTENER, 'registry: { address: 127.0.0.1:5000, tls: { cert: /a.crt } }'],
    paths: ['listeners.registry.tls.key', 'listeners.registry.tls.cert'],
  },
  { name: 'empty block', change: [LISTENER, 'registry:'], paths: ['listeners.registry'] },
  {
    name: 'Docker Hub by the name of its server',
    change: [UPSTREAM, `${UPSTREAM}\n  index.docker.io: { url: https://registry-1.docker.io }`],
    paths: ['upstreams["index.docker.io"]'],
    fix: 'docker.io',
  },
  {
    name: 'upstream with a URL as name',
    change: [UPSTREAM, `${UPSTREAM}\n  "https://x.example": { url: https://x.example }`],
    paths: ['upstreams["https://x.example"]'],
  },
  {
    name: 'upstream in upper case',
    change: [UPSTREAM, `${UPSTREAM}\n  X.example: { url: https://x.example }`],
    paths: ['upstreams["X.example"]'],
    fix: 'x.example',
  },
  {
    name: 'upstream without scheme',
    change: ['{ url: https://registry.example.com }', '{ url: registry.example.com }'],
    paths: [`${UPSTREAM_PATH}.url`],
    fix: 'https://',
  },
  {
    name: 'upstream with another scheme',
    change: ['{ url: https://registry.example.com }', '{ url: "ftp://registry.example.com" }'],
    paths: [`${UPSTREAM_PATH}.url`],
  },
  {
    name: 'upstream with a query',
    change: [
      '{ url: https://registry.example.com }',
      '{ url: "https://registry.example.com/?a=b" }',
    ],
    paths: [`${UPSTREAM_PATH}.url`],
  },
  {
    name: 'credentials over plain http',
    change: [
      '{ url: https://registry.example.com }',
      '{ url: "http://registry.example.com", credentials: { username: ci, passwordEnv: PATH_OF_TEST } }',
    ],
    paths: [`${UPSTREAM_PATH}.url`],
  },
  {
    name: 'credentials without password',
    change: [
      '{ url: https://registry.example.com }',
      '{ url: https://registry.example.com, credentials: { username: ci } }',
    ],
    paths: [`${UPSTREAM_PATH}.credentials`],
    fix: 'passwordFile',
  },
  {
    name: 'credentials with two passwords',
    change: [
      '{ url: https://registry.example.com }',
      '{ url: https://registry.example.com, credentials: { username: ci, passwordEnv: PATH_OF_TEST, passwordFile: /nope } }',
    ],
    paths: [`${UPSTREAM_PATH}.credentials`, `${UPSTREAM_PATH}.credentials.passwordFile`],
  },
  {
    name: 'password variable not set',
    change: [
      '{ url: https://registry.example.com }',
      '{ url: https://registry.example.com, credentials: { username: ci, passwordEnv: NOT_SET } }',
    ],
    paths: [`${UPSTREAM_PATH}.credentials.passwordEnv`],
  },
  {
    name: 'timeout without unit',
    change: [
      '{ url: https://registry.example.com }',
      '{ url: https://registry.example.com, timeouts: { connect: 5 } }',
    ],
    paths: [`${UPSTREAM_PATH}.timeouts.connect`],
    fix: '5s',
  },
  {
    name: 'timeout of nothing',
    change: [
      '{ url: https://registry.example.com }',
      '{ url: https://registry.example.com, timeouts: { connect: 0s } }',
    ],
    paths: [`${UPSTREAM_PATH}.timeouts.connect`],
  },
];

testProblems(CASES);
