// The consequences of a declaration, as lines for a person. Pure.
import { type ObjectKey, parseKey } from '../../api/meta.ts'
import { effectLines } from '../output/effects.ts'
import { verdictOf } from '../up/readiness.ts'
import { bundleChange } from './bundle-change.ts'
import type { Consequences, Standing } from './rehearse.ts'

const lastOctet = (address: string | undefined) => (address === undefined ? undefined : Number(address.split('.')[3]))

const short = (key: ObjectKey): string => {
  const { name, namespace } = parseKey(key)
  return namespace === undefined ? name : `${namespace}/${name}`
}

const byName = <T>(map: ReadonlyMap<string, T>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1))

function addressLines(before: Standing, after: Standing): string[] {
  const now = byName(after.addresses)
    .filter(([node, address]) => before.addresses.get(node) !== address)
    .map(([node, address]) => `address  ${node}: ${address}`)
  const gone = byName(before.addresses)
    .filter(([node]) => !after.addresses.has(node))
    .map(([node, address]) => `address  ${node}: ${address} goes into quarantine`)
  return [...now, ...gone]
}

function placeLines(before: Standing, after: Standing): string[] {
  const now = byName(after.places)
    .filter(([key, { node, slot }]) => before.places.get(key)?.node !== node || before.places.get(key)?.slot !== slot)
    .map(([key, { node, slot }]) => `slot     ${short(key)}: slot ${slot} of ${node}`)
  const gone = byName(before.places)
    .filter(([key]) => !after.places.has(key))
    .map(([key, { node, slot }]) => `slot     ${short(key)}: slot ${slot} of ${node} becomes free`)
  return [...now, ...gone]
}

function bundleLines(before: Standing, after: Standing): string[] {
  const now = byName(after.contents).flatMap(([node, content]) => {
    const old = before.contents.get(node)
    if (!old) return [`publish  ${node}: its first bundle`]
    const change = bundleChange(old, content)
    return change === '' ? [] : [`publish  ${node}: bundle with changed ${change}`]
  })
  const gone = byName(before.contents)
    .filter(([node]) => !after.contents.has(node))
    .map(([node]) => `withdraw ${node}: no bundle`)
  return [...now, ...gone]
}

/** A command is repeated by its plan until it is obeyed; here each is named once. */
function commandLines({ sent, before, after }: Consequences): string[] {
  const target = (node: string) => lastOctet(after.addresses.get(node) ?? before.addresses.get(node))
  const lines = sent.flatMap(({ node, ...command }) =>
    effectLines({ type: 'commands', node, commands: [command] }, target),
  )
  return [...new Set(lines)]
}

/** What would be sent and written; empty when nothing would. */
export function consequenceLines(consequences: Consequences): string[] {
  const { before, after } = consequences
  return [
    ...addressLines(before, after),
    ...placeLines(before, after),
    ...bundleLines(before, after),
    ...commandLines(consequences),
  ]
}

/** What a person should know before declaring it: holds, and what would not become Ready. */
export function warningLines({ holds, objects }: Consequences): string[] {
  const held = new Set(holds.map((hold) => hold.key))
  const waiting = objects
    .filter((object) => object.kind !== 'Pairing')
    .map((object) => ({ object, verdict: verdictOf(object) }))
    .filter(({ object, verdict }) => verdict.ready !== 'True' && !held.has(keyFor(object)))
    .map(({ verdict }) => `waits    ${verdict.name}  ${verdict.reason}: ${verdict.message}`)
  return [...holds.map((hold) => `held     ${hold.key}  ${hold.rule}: ${hold.message}`), ...waiting]
}

function keyFor({ kind, metadata: { name, namespace } }: Consequences['objects'][number]): ObjectKey {
  return namespace === undefined ? `${kind}/${name}` : `${kind}/${namespace}/${name}`
}
