// What a person may ask of `npm run bench:kube`.
import { parseArgs } from 'node:util'

export interface BenchOptions {
  objects: number
  rounds: number
  /** Updates a round and contestant, at a modest rate. */
  updates: number
  only: readonly string[] | undefined
}

/** Throws with a sentence on what it does not understand. */
export function benchOptions(args: readonly string[], names: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      objects: { type: 'string', default: '1000' },
      rounds: { type: 'string', default: '3' },
      updates: { type: 'string', default: '120' },
      only: { type: 'string' },
    },
  })
  const whole = (name: 'objects' | 'rounds' | 'updates', least: number, most: number) => {
    const n = Number(values[name])
    if (Number.isInteger(n) && n >= least && n <= most) return n
    throw new Error(`--${name} is a whole number from ${least} to ${most}`)
  }
  const only = values.only?.split(',')
  const unknown = only?.find((name) => !names.includes(name))
  if (unknown !== undefined) throw new Error(`there is no contestant "${unknown}"; there are ${names.join(', ')}`)
  return {
    // A burst is of a hundred; an archive's number is two bytes of a command.
    objects: whole('objects', 100, 65_535),
    rounds: whole('rounds', 1, 100),
    // Each is of another object: two of one may have one effect.
    updates: whole('updates', 1, Number(values.objects)),
    only,
  }
}
