// A host of QEMUs that are not there: the real driver's world under a virtual clock. Guests are those of the
// simulation; what is faked here is QEMU: its monitor, its run states, its process.
import type { Clock, Timer } from '../../../base/clock.ts'
import type { ArchiveId } from '../../../protocol/ids.ts'
import type { VmSpec } from '../vm/port.ts'
import { qemuArguments, runPaths, uuidOf } from '../vm/qemu/arguments.ts'
import type { QemuWorld } from '../vm/qemu/world.ts'
import { type QmpEvent, QmpGone, QmpRefused } from '../vm/qmp/client.ts'
import {
  advanceGuest,
  beginStop,
  type Guest,
  type GuestBehaviour,
  setTarget,
  startedGuest,
  untilChange,
  wantedProcessors,
} from '../vm/simulated-guest.ts'

const RUN_FOLDER = '/run/ppn'
const MIB = 1024 * 1024
const GREETING_MS = 10_000

interface FakeProcess {
  pid: number
  startTicks: number
  spec: VmSpec
  args: string[]
  guest: Guest
  status: 'prelaunch' | 'running' | 'paused' | 'shutdown' | 'guest-panicked' | 'io-error'
  sinceMs: number
  timer?: Timer
  monitor?: { onEvent(event: QmpEvent): void; gone: AbortController }
}

export interface FakeQemus extends QemuWorld {
  behave(id: ArchiveId, behaviour: GuestBehaviour): void
  /** Processes that are there, by archive. */
  running(): ArchiveId[]
  /** Kills a process as the kernel does. */
  kill(id: ArchiveId): void
  /** The host's disk is full, or has room again. */
  fillDisk(full: boolean): void
  /** Every process ends with the host, which starts again. */
  rebootHost(): void
  /** The next launch makes its process and is never heard of. */
  dieAtLaunch(): void
  /** Every command since the last call. */
  asked(): string[]
  disks: Set<string>
}

export function fakeQemus(clock: Clock): FakeQemus {
  const processes = new Map<number, FakeProcess>()
  const behaviours = new Map<ArchiveId, GuestBehaviour>()
  const disks = new Set<string>()
  let lastPid = 100
  let hostBoot = 1
  let full = false
  let dying = false
  let asked: string[] = []

  const tell = (p: FakeProcess, event: string, data: Record<string, unknown> = {}) =>
    p.monitor?.onEvent({ event, data })
  const die = (p: FakeProcess): void => {
    p.timer?.cancel()
    processes.delete(p.pid)
    p.monitor?.gone.abort(new QmpGone('QEMU went away'))
  }
  /** Lets the guest live until now. */
  const advance = (p: FakeProcess): void => {
    p.timer?.cancel()
    const nowMs = clock.monotonic()
    const elapsedMs = p.status === 'running' ? nowMs - p.sinceMs : 0
    p.sinceMs = nowMs
    const changes = elapsedMs > 0 ? advanceGuest(p.guest, elapsedMs, wantedProcessors(p.guest)) : []
    for (const change of changes) {
      if (change === 'changed') tell(p, 'BALLOON_CHANGE', { actual: p.guest.actualMiB * MIB })
      if (change === 'process-died') {
        die(p)
        return
      }
      if (change === 'guest-panic') halt(p, 'guest-panicked', 'GUEST_PANICKED')
      if (change === 'guest-shutdown') halt(p, 'shutdown', 'SHUTDOWN', { guest: true, reason: 'guest-shutdown' })
    }
    const nextMs = p.status === 'running' ? untilChange(p.guest) : Number.POSITIVE_INFINITY
    if (Number.isFinite(nextMs)) p.timer = clock.after(nextMs, () => advance(p))
  }
  const halt = (p: FakeProcess, status: FakeProcess['status'], event: string, data: Record<string, unknown> = {}) => {
    p.status = status
    tell(p, event, data)
    tell(p, 'STOP')
  }
  const run = (p: FakeProcess): void => {
    p.status = 'running'
    p.sinceMs = clock.monotonic()
    tell(p, 'RESUME')
    if (full) {
      p.status = 'io-error'
      tell(p, 'BLOCK_IO_ERROR', { operation: 'write', nospace: true, reason: 'No space left on device' })
      tell(p, 'STOP')
    }
    advance(p)
  }
  const answer = (p: FakeProcess, command: string, args: Record<string, unknown>): unknown => {
    advance(p)
    asked.push(command)
    const { guest } = p
    switch (command) {
      case 'query-uuid':
        return { UUID: uuidOf(p.spec.id) }
      case 'query-cpus-fast':
        return [{ 'cpu-index': 0, 'thread-id': p.pid }]
      case 'query-kvm':
        return { enabled: false, present: false }
      case 'query-status':
        return { status: p.status, running: p.status === 'running', singlestep: false }
      case 'query-balloon':
        return { actual: guest.actualMiB * MIB }
      case 'qom-get': {
        const seen = guest.bootLeftMs <= 0 && (guest.behaviour.balloonDriver ?? true)
        return { 'last-update': seen ? clock.now() / 1000 : 0, stats: { 'stat-free-memory': 2 ** 64 } }
      }
      case 'balloon':
        setTarget(guest, (args.value as number) / MIB)
        return advance(p)
      case 'cont':
        if (p.status === 'shutdown' || p.status === 'guest-panicked') throw new QmpRefused('GenericError: Resetting')
        return p.status === 'running' ? undefined : run(p)
      case 'stop':
        // do_vm_stop: what does not run keeps its state.
        if (p.status !== 'running') return undefined
        p.status = 'paused'
        return tell(p, 'STOP')
      case 'system_powerdown':
        if (guest.bootLeftMs > 0 || (guest.behaviour.endsAt ?? 'powerdown') !== 'powerdown') return undefined
        if (p.status === 'running' && guest.lifecycle !== 'stopping') beginStop(guest)
        return advance(p)
      case 'quit':
        if (guest.behaviour.endsAt === 'sigterm' || guest.behaviour.endsAt === 'sigkill') return undefined
        tell(p, 'SHUTDOWN', { guest: false, reason: 'host-qmp-quit' })
        return die(p)
      default:
        throw new QmpRefused(`CommandNotFound: ${command}`)
    }
  }
  const of = (id: ArchiveId) => [...processes.values()].find((p) => p.spec.id === id)

  return {
    runFolder: RUN_FOLDER,
    disks,
    behave: (id, behaviour) => void behaviours.set(id, behaviour),
    running: () => [...processes.values()].map((p) => p.spec.id),
    kill(id) {
      const p = of(id)
      if (p) die(p)
    },
    fillDisk(now) {
      full = now
      for (const p of processes.values()) if (full && p.status === 'running') run(p)
    },
    rebootHost() {
      for (const p of [...processes.values()]) die(p)
      hostBoot++
    },
    dieAtLaunch: () => {
      dying = true
    },
    asked() {
      const before = asked
      asked = []
      return before
    },
    processes: {
      hostBootId: async () => `boot-${hostBoot}`,
      async look(pid) {
        const p = processes.get(pid)
        return p && { pid, startTicks: p.startTicks, cpuTimeMs: p.guest.cpuTimeMs, residentMiB: p.guest.actualMiB }
      },
      async threadTimeMs(pid) {
        const p = processes.get(pid)
        if (p) advance(p)
        return p?.guest.cpuTimeMs ?? 0
      },
      argumentLists: async () => [...processes.values()].map(({ pid, args }) => ({ pid, args })),
      async signal({ pid }, signal) {
        const p = processes.get(pid)
        if (!p || (signal === 'SIGTERM' && p.guest.behaviour.endsAt === 'sigkill')) return
        if (signal === 'SIGTERM') tell(p, 'SHUTDOWN', { guest: false, reason: 'host-signal' })
        die(p)
      },
    },
    async launch(spec) {
      const pid = ++lastPid
      const guest = startedGuest(spec, behaviours.get(spec.id) ?? {})
      const args = ['qemu', ...qemuArguments(spec, runPaths(RUN_FOLDER, spec.slot), 'tcg'), '']
      processes.set(pid, {
        pid,
        startTicks: pid * 7,
        spec,
        args,
        guest,
        status: 'prelaunch',
        sinceMs: clock.monotonic(),
      })
      if (dying) return new Promise(() => {})
      return pid
    },
    async connect(slot, onEvent) {
      const p = [...processes.values()].find((process) => process.spec.slot === slot)
      if (!p) throw new QmpGone('nobody there')
      if (p.monitor && !p.monitor.gone.signal.aborted) {
        await clock.sleep(GREETING_MS)
        throw new QmpGone('no greeting')
      }
      const gone = new AbortController()
      p.monitor = { onEvent, gone }
      return {
        gone: gone.signal,
        close: () => gone.abort(new QmpGone('closed by us')),
        async execute(command, args = {}) {
          if (gone.signal.aborted) throw gone.signal.reason
          return answer(p, command, args)
        },
      }
    },
    shutRunFolder: async () => {},
    lastWords: async () => '',
    trimLogs: async () => {},
    hasDisk: async ({ disk }) => disks.has(disk),
    forget: async () => {},
  }
}
