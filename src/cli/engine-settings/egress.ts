/**
 * An example for nftables that closes what settings leave open: machines of engines reach Pinnace, and no other server that
 * speaks HTTP or TLS on the usual ports. Registries cannot be listed by address, since they and their download hosts change.
 *
 * @param port - of the listener
 */
export function egressRules(host: string, port: number): string {
  const address = /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host) ? host : '192.0.2.20';
  return [
    '# /etc/nftables.d/pinnace.nft, read by nft -f. An example: put in your own addresses, and what else the machine needs.',
    'table inet pinnace',
    'delete table inet pinnace',
    'table inet pinnace {',
    `  # The addresses of ${host}.`,
    `  set pinnace { type ipv4_addr; elements = { ${address} } }`,
    '  chain output {',
    '    type filter hook output priority filter; policy accept;',
    '    oif lo accept',
    `    ip daddr @pinnace tcp dport ${port} accept`,
    '    # ip daddr { 192.0.2.30 } tcp dport 443 accept   # your package mirror, and so on',
    '    meta l4proto { tcp, udp } th dport { 80, 443 } counter reject with icmpx admin-prohibited',
    '  }',
    '}',
    '',
  ].join('\n');
}
