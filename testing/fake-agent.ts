// An agent in process, for tests of what speaks to agents: it verifies, orders and marks commands with real keys,
// takes and switches signed bundles, and reports in sealed frames, over any transport and clock. Machines and tunnels
// it only claims to have. Written from DESIGN section 7 and not from the agent; test/conformance/agent holds the two
// against each other.
import type { NodeIdentity } from '../api/v1alpha1/node.ts'
import type { Clock } from '../base/clock.ts'
import { type RandomBytes, systemRandom } from '../base/random.ts'
import type { Transport } from '../base/transport.ts'
import { OP, type OpName, opName } from '../protocol/command/ops.ts'
import { compareSequence, type Sequence, type Slot, type Term } from '../protocol/ids.ts'
import { generateX25519 } from '../protocol/keys.ts'
import { expandRevision } from '../protocol/revision.ts'
import type { SyncFrame } from '../protocol/sync/frame.ts'
import type { HeldBundle, Mark, NodeReport } from '../protocol/telemetry/report.ts'
import { importBundle, takeBundle, tell } from './fake-agent/bundles.ts'
import { type Keyring, keyringOf } from './fake-agent/keyring.ts'
import { type Busy, machinesOf } from './fake-agent/machines.ts'
import { contentOf, floorOf, heldOf, identityOf, loseMarks, newMemory } from './fake-agent/memory.ts'
import { judgePacket } from './fake-agent/receive.ts'
import { reportOf } from './fake-agent/report.ts'
import { type Script, scriptOf } from './fake-agent/script.ts'
import { openSockets, type Sockets } from './fake-agent/sockets.ts'
import { startUplink, type Uplink, type Way } from './fake-agent/uplink.ts'

export interface FakeAgentOptions {
  clock: Clock
  /** Its address comes with its bundle. */
  transport: Transport
  random?: RandomBytes
  capacity?: { memoryMiB: number; cpus: number }
  /** As telemetry reports it. */
  version?: string
}

export interface ObeyedCommand {
  op: OpName
  slot: Slot
  value: number
  term: Term
  sequence: Sequence
  /** Clock.now() of the effect. */
  atMs: number
}

export interface FakeAgent extends Script {
  /** Public halves of its keys: what enrolment needs. */
  identity(): NodeIdentity
  /** `ppn agent import`: its first bundle, or the way back. Throws as the agent's import does. */
  import(armored: string, authorityFingerprint?: string): Promise<HeldBundle>
  /** Listens and reports as soon as it has a bundle. */
  start(): Promise<void>
  /** Ends at once, without a goodbye. What it kept is there at the next start; machines run on. */
  stop(): Promise<void>
  /**
   * Another agent process over the same machine. `marks`: the file of marks is lost. `everything`: a machine fresh
   * from the box, with other keys, that nobody has enrolled.
   */
  restart(options?: { lose?: 'marks' | 'everything' }): Promise<void>
  alive(): boolean
  /** What is so, whatever the script makes it say. */
  report(): NodeReport
  /** Commands that took effect, in order; over all its lives. */
  readonly obeyed: readonly ObeyedCommand[]
  /** What was discarded since it started, by reason. */
  refusals(): Record<string, number>
}

/** One life of the process. */
interface Life {
  stop: AbortController
  sockets: Sockets
  uplink: Uplink
  refusals: Map<string, number>
  /** Effects that the script delays. */
  busy: Set<Busy>
}

const CAPACITY = { memoryMiB: 16_384, cpus: 8 }

/** An agent that is not started yet and that nobody has enrolled. */
export function fakeAgent(options: FakeAgentOptions): FakeAgent {
  const { clock, transport, random = systemRandom, capacity = CAPACITY, version = 'fake' } = options
  const obeyed: ObeyedCommand[] = []
  let memory = newMemory(random)
  let machines = machinesOf(memory)
  let keyring: Keyring | undefined
  let life: Life | undefined

  const script = scriptOf({ clock, random, changed: () => life?.uplink.touch() })
  const wallClock = () => clock.now() + script.clock().aheadMs
  const keys = (): Keyring => {
    keyring ??= keyringOf(memory)
    return keyring
  }
  const content = () => (memory.severed ? undefined : contentOf(memory))
  const truth = (): NodeReport =>
    reportOf({
      memory,
      machines,
      busy: [...(life?.busy ?? [])],
      refusals: life?.refusals ?? new Map(),
      version,
      capacity,
      nowMs: wallClock(),
      monotonicMs: clock.monotonic(),
      synchronised: script.clock().synchronised,
    })
  const refuse = (reason: string): void => {
    const { refusals } = life ?? {}
    refusals?.set(reason, (refusals.get(reason) ?? 0) + 1)
  }
  /** Now, or as much later as the script says, if the process still lives then. */
  const inTime = (ms: number, act: () => void): void => {
    const begun = life
    if (ms <= 0) act()
    else
      clock.after(ms, () => {
        if (life === begun) act()
      })
  }

  const way = (): Way | undefined => {
    const now = content()
    return (
      now && {
        from: now.node.address,
        port: now.mesh.ports.telemetry,
        authorities: now.authorities.flatMap(({ id, addresses }) => addresses.map((address) => ({ id, address }))),
      }
    )
  }
  /** Brings sockets, machines and telemetry to the bundle in force. */
  const settle = async (before: Way | undefined): Promise<void> => {
    keyring = undefined
    machines.converge(clock.monotonic())
    const now = content()
    const place = now && {
      address: now.node.address,
      commandPort: now.mesh.ports.command,
      syncPort: now.mesh.ports.sync,
    }
    if (JSON.stringify(way()) !== JSON.stringify(before)) life?.uplink.redial()
    life?.uplink.touch()
    await life?.sockets.use(place)
  }

  const isNewest = (mark: Mark): boolean => {
    const last = memory.marks.get(`${mark.op}/${mark.slot}`)
    return last !== undefined && compareSequence(last, mark) === 0
  }
  /** The effect; found `begun` at a start, it is repeated. */
  const carryOut = (mark: Mark): void => {
    const { op, slot, value, term, sequence } = mark
    // Overtaken, or void.
    if (!isNewest(mark)) return
    const before = way()
    memory.marks.set(`${op}/${slot}`, { ...mark, state: 'done' })
    obeyed.push({ op: opName(op) as OpName, slot, value, term, sequence, atMs: clock.now() })
    switch (op) {
      case OP.PING:
        life?.uplink.full()
        return
      case OP.APPLY:
        tell(memory, { term, revision: expandRevision(value, newestRevision()) })
        break
      case OP.ISOLATE:
        memory.isolated = value === 1
        break
      case OP.REKEY:
        memory.pending[value === 1 ? 'command' : 'wireguard'] ??= generateX25519(random)
        break
      case OP.SEVER:
        memory.severed = true
        break
    }
    void settle(before)
  }
  const newestRevision = () => {
    const { applied, staged, told } = memory
    const held = [applied, staged].flatMap((b) => (b ? [heldOf(b).revision] : []))
    return Math.max(0, ...held, told?.revision ?? 0)
  }

  const onPacket = (bytes: Uint8Array, from: string): void => {
    const now = content()
    if (!now || !life) return
    const { synchronised } = script.clock()
    const own = { memory, content: now, keyring: keys(), nowMs: wallClock(), synchronised }
    const { signer, refuse: why, obey } = judgePacket(bytes, from, own)
    if (why !== undefined) refuse(why)
    if (!signer) return
    if (signer.pending && memory.pending.command) {
      memory.keys.command = memory.pending.command
      delete memory.pending.command
      keyring = undefined
      life.uplink.full()
    }
    if (signer.term > memory.term || life.uplink.reportsTo() !== from) {
      memory.term = Math.max(memory.term, signer.term)
      life.uplink.prefer(from)
    }
    if (!obey) return
    memory.marks.set(`${obey.op}/${obey.slot}`, obey)
    const slowMs = script.slowMs()
    const { op, slot, value } = obey
    const busy: Busy = { op, slot, value, untilMs: clock.monotonic() + slowMs }
    life.busy.add(busy)
    life.uplink.touch()
    inTime(slowMs, () => {
      life?.busy.delete(busy)
      carryOut(obey)
    })
  }
  const onFrame = (frame: SyncFrame): void => {
    if (frame.type !== 'bundle') {
      refuse('SyncSource')
      return
    }
    const raw = new Uint8Array(frame.bundle)
    inTime(script.slowMs(), () => {
      const before = way()
      const taken = takeBundle(memory, raw)
      if (taken.ok) void settle(before)
      else refuse(taken.reason)
    })
  }

  const stop = async (): Promise<void> => {
    const { stop: ending, sockets } = life ?? {}
    life = undefined
    ending?.abort(new Error('the agent was stopped'))
    await sockets?.use(undefined)
  }
  const start = async (): Promise<void> => {
    if (life) return
    const ending = new AbortController()
    const sockets = openSockets(
      {
        clock,
        transport,
        onPacket: (bytes, from) => script.deliver(() => onPacket(bytes, from)),
        admits: (address) =>
          !script.deaf() && (content()?.authorities.some((a) => a.addresses.includes(address)) ?? false),
        onFrame,
        refuse,
      },
      ending.signal,
    )
    const uplink = startUplink(
      {
        clock,
        random,
        transport,
        way,
        key: (authority, term) => keys().telemetryKey(authority, term),
        term: () => memory.term,
        report: () => script.told(truth()),
        silent: script.silent,
      },
      ending.signal,
    )
    life = { stop: ending, sockets, uplink, refusals: new Map(), busy: new Set() }
    const begun = [...memory.marks.values()].filter(
      (mark) => mark.state === 'begun' && compareSequence(mark, floorOf(memory.floors, mark.slot)) >= 0,
    )
    for (const mark of begun) carryOut(mark)
    await settle(way())
  }

  return {
    ...script.verbs,
    identity: () => identityOf(memory),
    async import(armored, authorityFingerprint) {
      const before = way()
      const { held, taken } = importBundle(memory, armored, authorityFingerprint)
      if (!taken.ok) refuse(taken.reason)
      else await settle(before)
      return held
    },
    start,
    stop,
    async restart({ lose } = {}) {
      await stop()
      if (lose === 'marks') loseMarks(memory)
      if (lose === 'everything') {
        memory = newMemory(random)
        machines = machinesOf(memory)
        keyring = undefined
      }
      await start()
    },
    alive: () => life !== undefined,
    report: truth,
    obeyed,
    refusals: () => Object.fromEntries(life?.refusals ?? []),
  }
}
