// What a plan means to do, a line an effect. Commands are shown byte for byte (DESIGN 7.1).
import { opName, POWER } from '../../protocol/command/ops.ts'

interface Loose {
  type: string
  [key: string]: unknown
}

const hex = (byte: number) => byte.toString(16).padStart(2, '0')

const POWER_WORD: Readonly<Record<number, string>> = Object.fromEntries(Object.entries(POWER).map(([k, v]) => [v, k]))

function meaning(op: number, value: number): string {
  const name = opName(op) ?? `0x${hex(op)}`
  if (name === 'POWER') return `POWER ${POWER_WORD[value] ?? value}`
  if (name === 'BALLOON') return `BALLOON ${value * 16} MiB`
  if (name === 'ISOLATE') return value === 1 ? 'ISOLATE' : 'ISOLATE release'
  return `${name} ${value}`
}

/**
 * The 16 bytes of a command: op, target, slot, value; then the sequence and tag that only the moment of sending can
 * give. An unknown target (no address yet) reads `??`.
 */
export function commandBytes(op: number, target: number | undefined, slot: number, value: number): string {
  const head = [hex(op), target === undefined ? '??' : hex(target), hex(slot), hex(value >> 8), hex(value & 0xff)].join(
    ' ',
  )
  return `${head} <sequence: set at sending> <tag: set at sending>`
}

/** Lines for one effect; `target` gives a node's target byte when it has an address. */
export function effectLines(effect: unknown, target: (node: string) => number | undefined): string[] {
  const e = effect as Loose
  switch (e.type) {
    case 'commands': {
      const commands = e.commands as { op: number; slot: number; value: number }[]
      const node = String(e.node)
      return commands.map(
        (c) =>
          `send     ${node}: ${meaning(c.op, c.value)}${c.slot ? ` (slot ${c.slot})` : ''}\n         ${commandBytes(c.op, target(node), c.slot, c.value)}`,
      )
    }
    case 'bundle':
      return [`publish  ${String(e.node)}: bundle with changed content`]
    case 'withdrawBundle':
      return [`withdraw ${String(e.node)}: no bundle`]
    case 'status':
      return []
    case 'addFinalizer':
      return ['guard    from now on it goes only after its teardown']
    case 'place':
      return [`place    on ${String(e.node)}, ${String(e.floorMiB)} to ${String(e.maxMiB)} MiB`]
    case 'takeOver':
      return [`place    taken over on ${String(e.node)}, slot ${String(e.slot)}, epoch ${String(e.fencingEpoch)}`]
    case 'event':
      return [`event    ${String(e.reason)}: ${String(e.message)}`]
    default:
      return [
        `${e.type.padEnd(8)} ${JSON.stringify(Object.fromEntries(Object.entries(e).filter(([k]) => k !== 'type')))}`,
      ]
  }
}
