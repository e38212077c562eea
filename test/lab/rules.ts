// What nft(8) and tc(8) are told. Pure.
import type { Topology } from './topology.ts'

type Nat = Topology['routers'][string]['nat']

/** A router's rules; its interfaces are called `inside` and `outside`. */
export function natRules(nat: Nat): string {
  if (nat === 'none') return 'table ip lab {}\n'
  return `table ip lab {
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "outside" ct state new,invalid drop
  }
  chain source {
    type nat hook postrouting priority srcnat;
    oifname "outside" masquerade${nat === 'symmetric' ? ' fully-random' : ''}
  }
}
table ip6 lab {
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "outside" ct state new,invalid drop
  }
}
`
}

/** Of 10,000, the finest that a percentage with two places asks for. */
const PARTS = 10_000

/**
 * Drops that share of what passes a port of the fabric, each way independently; replaces what was said before. All of
 * it is a cut and says so in a comment, by which it is found again.
 */
export function lossRules(port: string, percent: number): string {
  const drop = percent >= 100 ? 'drop' : `numgen random mod ${PARTS} < ${Math.round((percent * PARTS) / 100)} drop`
  const chain = (way: 'in' | 'out', hook: 'ingress' | 'egress') => `  chain ${way} {
    type filter hook ${hook} device "${port}" priority filter; policy accept;
    ${drop} comment "${percent >= 100 ? 'cut' : 'loss'} ${port} ${way}"
  }`
  const table = `netdev lab-${port}`
  // Adding before deleting: a table that is not there yet is no error.
  const clear = `table ${table} {}\ndelete table ${table}\n`
  if (percent <= 0) return clear
  return `${clear}table ${table} {\n${chain('in', 'ingress')}\n${chain('out', 'egress')}\n}\n`
}

/** tc(8) arguments; the first may fail, when there was no delay before. */
export function delayCommands(dev: string, delayMs: number): string[][] {
  if (delayMs <= 0) return [['qdisc', 'del', 'dev', dev, 'root']]
  return [['qdisc', 'replace', 'dev', dev, 'root', 'netem', 'delay', `${delayMs}ms`, 'limit', '10000']]
}
