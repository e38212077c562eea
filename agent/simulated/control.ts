// What parent and host process of a simulation say to each other: one JSON object a line, requests on the host's
// standard input, answers on its standard output. The host ends when its input does, so it never outlives its parent.

/** What a node is made of. Durations and sizes as the figures have them. */
export interface NodeSettings {
  /** The node's own folder. */
  folder: string
  /** Of the whole simulation: holds world.json. */
  worldFolder: string
  /** Where image files may be read from; none may be when absent. */
  imageFolder?: string
  /** Where the machine stands. */
  address: string
  behindNat: boolean
  capacity?: { memoryMiB: number; cpus: number }
  telemetryPort?: number
  version?: string
}

/** What can be asked of a node: the methods of `SimulatedNode` by name, and `create`, which starts it as well. */
export type Verb =
  | 'create'
  | 'identity'
  | 'import'
  | 'kill'
  | 'restart'
  | 'alive'
  | 'cutTelemetry'
  | 'setClockSynchronised'
  | 'setDiskCapacity'
  | 'guest'
  | 'report'
  | 'refusedByGate'

export interface Request {
  id: number
  node: string
  verb: Verb
  args: unknown[]
}

/** The id of the request, and what came of it. */
export type Answer =
  | { id: number; value?: unknown }
  | { id: number; error: { message: string; code?: string; details?: Readonly<Record<string, unknown>> } }
