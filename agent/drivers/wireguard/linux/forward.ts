// The hub's forwarding: on for this one interface, and an nftables table of its own that says what may pass
// (section 8). Nobody else's table or chain is touched.
//
// JSON as libnftables-json(5) reads and prints it, so that what is there can be compared with what should be.
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { PpnError } from '../../../../base/errors.ts'
import { type Processes, runOk } from '../../../../base/processes.ts'
import type { ForwardRule } from '../port.ts'

/** nft(8) takes letters, digits and _ . - in a name, an interface may have = and + as well. */
export const tableOf = (name: string) => `ppn_${name.replace(/[=+]/g, (c) => `_${c.charCodeAt(0)}`)}`

interface Ruleset {
  chain: { name: string; type: string; hook: string; prio: number; policy: string }
  /** Expressions, a rule each. */
  rules: unknown[][]
}

const same = (left: unknown, right: unknown) => ({ match: { op: '==', left, right } })
const differs = (left: unknown, right: unknown) => ({ match: { op: '!=', left, right } })
const IN = { meta: { key: 'iifname' } }
const OUT = { meta: { key: 'oifname' } }
const DROP = { drop: null }

/**
 * Between peers everything passes but the command port, which is the authorities'. From the mesh to anywhere else
 * nothing passes: forwarding was switched on for the mesh, not to open the hub's other networks to it.
 */
export function rulesetFor(name: string, { authorities, commandPort }: ForwardRule): Ruleset {
  const [only, ...more] = [...new Set(authorities)].sort(byNumber)
  const source = { payload: { protocol: 'ip', field: 'saddr' } }
  const port = same({ payload: { protocol: 'udp', field: 'dport' } }, commandPort)
  const stranger = only === undefined ? [] : [differs(source, more.length === 0 ? only : { set: [only, ...more] })]
  return {
    chain: { name: 'forward', type: 'filter', hook: 'forward', prio: 0, policy: 'accept' },
    rules: [
      [same(IN, name), same(OUT, name), ...stranger, port, DROP],
      [same(IN, name), differs(OUT, name), DROP],
    ],
  }
}

/** nft prints the members of a set in their numeric order. */
function byNumber(a: string, b: string): number {
  const value = (address: string) => address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0)
  return value(a) - value(b)
}

/** One transaction: the old table goes as the new one comes, and there is no moment without it. */
export function replacement(name: string, ruleset: Ruleset): string {
  const table = { family: 'ip', name: tableOf(name) }
  const within = { family: 'ip', table: tableOf(name) }
  const nftables = [
    { add: { table } },
    { delete: { table } },
    { add: { table } },
    { add: { chain: { ...within, ...ruleset.chain } } },
    ...ruleset.rules.map((expr) => ({ add: { rule: { ...within, chain: ruleset.chain.name, expr } } })),
  ]
  return JSON.stringify({ nftables })
}

const listing = z.object({
  nftables: z.array(
    z.object({
      chain: z
        .object({ name: z.string(), type: z.string(), hook: z.string(), prio: z.number(), policy: z.string() })
        .partial()
        .optional(),
      rule: z.object({ chain: z.string(), expr: z.array(z.unknown()) }).optional(),
    }),
  ),
})

/** Does the output of `nft -j list table` show this and nothing else? */
export function shows(json: string, wanted: Ruleset): boolean {
  const { nftables } = listing.parse(JSON.parse(json))
  const chains = nftables.flatMap((entry) => (entry.chain ? [entry.chain] : []))
  const rules = nftables.flatMap((entry) => (entry.rule ? [entry.rule] : []))
  return (
    isDeepStrictEqual(chains, [wanted.chain]) &&
    isDeepStrictEqual(
      rules,
      wanted.rules.map((expr) => ({ chain: wanted.chain.name, expr })),
    )
  )
}

/** Brings the table to what is wanted; returns whether it was changed. */
export async function settleTable(
  processes: Processes,
  name: string,
  rule: ForwardRule | undefined,
): Promise<{ changed: boolean }> {
  const there = await listTable(processes, name)
  if (!rule) {
    if (there !== undefined) await runOk(processes, 'nft', ['delete', 'table', 'ip', tableOf(name)])
    return { changed: there !== undefined }
  }
  const wanted = rulesetFor(name, rule)
  if (there !== undefined && shows(there, wanted)) return { changed: false }
  await runOk(processes, 'nft', ['-j', replacement(name, wanted)])
  return { changed: true }
}

async function listTable(processes: Processes, name: string): Promise<string | undefined> {
  const args = ['-j', 'list', 'table', 'ip', tableOf(name)]
  const { exitCode, stdout, stderr } = await processes.run('nft', args)
  if (exitCode === 0) return stdout
  if (/no such file or directory/i.test(stderr)) return undefined
  throw new PpnError('ProgramFailed', { command: `nft ${args.join(' ')}`, exitCode, said: stderr.trim() })
}
