// The parsers of a long run, in a thread that can be ended.
import { parentPort, workerData } from 'node:worker_threads'
import { type FuzzResult, fuzz } from './fuzz.ts'
import { PARSERS } from './table.ts'

const { names, inputs, seed, shared } = workerData as {
  names: readonly string[]
  inputs: number
  seed: number
  shared: SharedArrayBuffer
}
const beats = new Int32Array(shared)

function line(name: string, result: FuzzResult): string {
  const refused = Object.entries(result.refused).sort(([, a], [, b]) => b - a)
  const sum = refused.reduce((total, [, count]) => total + count, 0)
  const figures = [result.inputs, result.accepted, sum, result.longest, result.slowest.ms.toFixed(1)]
  const reasons = refused.slice(0, 5).map(([reason, count]) => `${reason} ${count}`)
  return `${name.padEnd(18)}${figures.map((figure) => String(figure).padStart(11)).join('')}  ${reasons.join(', ')}`
}

for (const parser of PARSERS.filter(({ name }) => names.includes(name))) {
  const { name } = parser
  try {
    const result = await fuzz(parser, inputs, seed, () => void Atomics.add(beats, 0, 1))
    parentPort?.postMessage({ name, text: line(name, result) })
  } catch (error) {
    parentPort?.postMessage({ name, failed: `FINDING ${error instanceof Error ? error.message : String(error)}` })
  }
}
