// A process of simulated nodes, started by client.ts. Each node has its own address, sockets and folder; one process
// holds one node of a small fleet and many of a large one.
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { systemClock } from '../../base/clock.ts'
import { diskFiles } from '../../base/disk-files.ts'
import { PpnError } from '../../base/errors.ts'
import { createLogger } from '../../base/log.ts'
import { loopbackTransport } from '../../base/loopback-transport.ts'
import { systemRandom } from '../../base/random.ts'
import type { Answer, NodeSettings, Request } from './control.ts'
import { imageFiles } from './image-files.ts'
import { type SimulatedNode, simulatedNode } from './node.ts'
import { fileWorld } from './world.ts'

/** Ending in good order is a courtesy; the folder is good without it. */
const STOP_WITHIN_MS = 5_000

const { values } = parseArgs({ options: { 'log-level': { type: 'string', default: 'info' } } })
const log = createLogger({ level: values['log-level'] })
const clock = systemClock()
const nodes = new Map<string, SimulatedNode>()

async function create(name: string, settings: NodeSettings): Promise<void> {
  if (nodes.has(name)) throw new Error(`${name} is there already`)
  const world = fileWorld(diskFiles(settings.worldFolder))
  const node = await simulatedNode({
    address: settings.address,
    files: diskFiles(settings.folder),
    transport: loopbackTransport({ firstOctet: Number(settings.address.split('.')[0]), clock }),
    clock,
    random: systemRandom,
    log: log.child({ node: name }),
    resolve: async (endpoint) => (await world.directory())[endpoint],
    behindNat: settings.behindNat,
    ...(settings.capacity && { capacity: settings.capacity }),
    ...(settings.telemetryPort !== undefined && { telemetryPort: settings.telemetryPort }),
    ...(settings.imageFolder !== undefined && { readImage: imageFiles(settings.imageFolder) }),
    ...(settings.version !== undefined && { version: settings.version }),
  })
  nodes.set(name, node)
  try {
    await node.start()
  } catch (error) {
    // So that creating it again is a fresh attempt.
    nodes.delete(name)
    await node.stop()
    throw error
  }
}

async function perform({ node: name, verb, args }: Request): Promise<unknown> {
  if (verb === 'create') return create(name, args[0] as NodeSettings)
  const node = nodes.get(name)
  if (!node) throw new PpnError('SimulatedNodeUnknown', { node: name })
  const method = node[verb] as (...args: unknown[]) => unknown
  return method(...args)
}

function answer(message: Answer): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

async function serve(line: string): Promise<void> {
  const request = JSON.parse(line) as Request
  const { id } = request
  try {
    answer({ id, value: await perform(request) })
  } catch (error) {
    const { message } = error as Error
    const more = error instanceof PpnError ? { code: error.code, details: error.details } : {}
    answer({ id, error: { message, ...more } })
  }
}

async function end(): Promise<void> {
  // The event loop must not wait for a node that does not end.
  setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref()
  await Promise.allSettled([...nodes.values()].map((node) => node.stop()))
  process.exit(0)
}

// A parent that died in the middle of an answer is told nothing; the end of the input says the rest.
process.stdout.on('error', () => {})
// Ctrl-C goes to every process of a terminal; what follows from it the parent decides.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => void end())
createInterface({ input: process.stdin })
  .on('line', (line) => void serve(line))
  .on('close', () => void end())
