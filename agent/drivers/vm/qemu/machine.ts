// One VM that has a process: holds its QMP connection, follows what happens to it, and sees it to its end.
import type { Clock, Timer } from '../../../../base/clock.ts'
import type { Logger } from '../../../../base/log.ts'
import type { MiB } from '../../../../protocol/ids.ts'
import type { VmEnd, VmFault, VmLifecycle, VmState } from '../port.ts'
import type { Qmp, QmpEvent } from '../qmp/client.ts'
import {
  balloonReply,
  cpusReply,
  guestStatsReply,
  ioErrorEvent,
  kvmReply,
  shutdownEvent,
  statusReply,
  uuidReply,
} from '../qmp/replies.ts'
import { BALLOON_PATH, uuidOf } from './arguments.ts'
import { aim, type BalloonWatch, found, judge, newWatch } from './balloon.ts'
import { CUT, FINISH, GRACEFUL, type Ladder, type Step, stepAt } from './ladder.ts'
import type { ProcessId } from './process-table.ts'
import type { VmRecord } from './record.ts'
import type { QemuWorld } from './world.ts'

/** Section 8b: 50-100 ms while the balloon moves. */
const BALLOON_POLL_MS = 100
/** A guest without a balloon driver counts as up after this: nothing else tells from outside. Below POWER's 60 s. */
const BOOT_LIMIT_MS = 20_000
/** QEMU opens its sockets within milliseconds of its start, or within seconds on a host that is out of breath. */
const RECONNECT_MS = 50
const RECONNECT_SLOWLY_MS = 1_000
const RECONNECT_FAST_TIMES = 100
/** A guest paused by a full disk is let go on this often: it pauses again as long as the disk is full. */
const FAULT_RETRY_MS = 5_000
const MIB = 1024 * 1024

export interface GuestStats {
  /** Wall clock of the guest's last word, ms. */
  toldMs: number
  /** MiB; undefined: the guest does not tell. */
  freeMiB: number | undefined
  availableMiB: number | undefined
  totalMiB: number | undefined
  cachesMiB: number | undefined
  majorFaults: number | undefined
}

export interface MachineOptions {
  world: QemuWorld
  clock: Clock
  log: Logger
  record: VmRecord
  process: ProcessId
  /** Just made: its balloon is empty. One that is found again has run before us. */
  fresh: boolean
  /** Durable when it resolves. */
  save(record: VmRecord): Promise<void>
  changed(): void
  /** The process is gone; called once. */
  over(record: VmRecord, lastCpuTimeMs: number): Promise<void>
}

export interface Machine {
  readonly process: ProcessId
  state(): VmState
  /** Resolves when QEMU has been asked, or does not answer: then the figures stay as they were. */
  refresh(): Promise<void>
  /** Resolves when the guest has been let run, or has been found again; rejects when the process is gone before that. */
  attached(): Promise<void>
  stop(): Promise<void>
  /** Resolves when the process is gone. */
  cut(): Promise<void>
  pause(): Promise<void>
  resume(): Promise<void>
  setMemoryTarget(target: MiB, floorNow?: MiB): Promise<void>
  guestStats(): Promise<GuestStats | undefined>
  /** Lets go of it: it runs on. */
  detach(): void
}

export function attendMachine(options: MachineOptions): Machine {
  const { world, clock, log, process } = options
  let { record } = options
  const { spec } = record
  let { floorMiB } = spec
  let qmp: Qmp | undefined
  let lifecycle: VmLifecycle = 'starting'
  let fault: VmFault | undefined
  /** What the last failed access failed of; its event comes before the state, and may overtake an older one. */
  let lastFault: VmFault = 'DiskError'
  /** Paused by somebody while it waited for its host: QEMU keeps no such state. */
  let held = false
  let watch: BalloonWatch | undefined = options.fresh ? newWatch(spec.maxMiB, clock.monotonic()) : undefined
  let lastUpdate = 0
  /** The guest's driver has spoken since the guest's last reset. */
  let updateAtReset = 0
  // The wall clock may have jumped since: at worst it counts as booting for a while.
  let bootedSinceMs = clock.monotonic() - Math.max(0, clock.now() - (record.startedMs ?? 0))
  let running = false
  let cpuThreads: number[] = []
  let accelerator: VmState['accelerator']
  let cpuTimeMs = 0
  let polling: Timer | undefined
  let retry: Timer | undefined
  const detached = new AbortController()
  const ended = new AbortController()
  const stopped = AbortSignal.any([detached.signal, ended.signal])
  const attached = Promise.withResolvers<void>()
  attached.promise.catch(() => {})
  /** Resolved when the process is, or when we let go of it. */
  const gone = Promise.withResolvers<void>()

  const become = (next: VmLifecycle): void => {
    if (lifecycle === next) return
    lifecycle = next
    options.changed()
  }
  const save = async (change: Partial<VmRecord>): Promise<void> => {
    record = { ...record, ...change }
    await options.save(record)
  }
  const quietly = (what: string, work: Promise<unknown>): void => {
    work.catch((error) => {
      if (!stopped.aborted) log.debug({ what, err: String(error) }, 'a VM did not answer')
    })
  }
  const pause = (ms: number) => clock.sleep(ms, stopped).catch(() => {})
  const ask = (command: string, args?: Record<string, unknown>): Promise<unknown> => {
    if (!qmp) return Promise.reject(new Error(`vm ${spec.id} does not answer`))
    return qmp.execute(command, args)
  }

  /** query-status, and what follows from it. */
  const followStatus = async (): Promise<void> => {
    const { status, running: runs } = statusReply.parse(await ask('query-status'))
    running = runs
    if (status === 'shutdown') return finish('guest-shutdown')
    if (status === 'guest-panicked') return finish('guest-panic')
    // A processor that cannot go on (KVM): nothing will make it run again.
    if (status === 'internal-error') return finish('process-died')
    if (record.end !== undefined) return finish(record.end)
    fault = status === 'io-error' && !held ? lastFault : undefined
    if (fault) return retryFault()
    if (status === 'prelaunch') return void (await ask('cont'))
    if (lifecycle === 'stopping') return
    if (runs) become(bootDone() ? 'running' : 'starting')
    else if (status === 'paused' || held) become('paused')
    poll()
  }
  const bootDone = () => lastUpdate > updateAtReset || clock.monotonic() - bootedSinceMs >= BOOT_LIMIT_MS

  /** The host could not write or read: the guest waits, and is let go on now and then. */
  const retryFault = (): void => {
    if (lifecycle !== 'stopping') become('paused')
    retry?.cancel()
    retry = clock.after(FAULT_RETRY_MS, () => quietly('cont', ask('cont')))
  }

  const follow = ({ event, data }: QmpEvent): void => {
    if (event === 'SHUTDOWN') {
      const told = shutdownEvent.safeParse(data)
      // The host's own doing, e.g. a person at the other socket: the process ends by itself.
      if (told.success && !told.data.guest) quietly('end', noteEnd('host-quit'))
    }
    if (event === 'RESET' && data.guest === true) {
      updateAtReset = lastUpdate
      bootedSinceMs = clock.monotonic()
    }
    if (event === 'BLOCK_IO_ERROR') {
      const told = ioErrorEvent.safeParse(data)
      lastFault = told.success && told.data.nospace ? 'DiskFull' : 'DiskError'
    }
    if (event === 'BALLOON_CHANGE') quietly('balloon', sample())
    else if (['STOP', 'RESUME', 'RESET', 'SHUTDOWN', 'GUEST_PANICKED'].includes(event))
      quietly('status', followStatus())
  }
  const noteEnd = async (end: VmEnd): Promise<void> => {
    if (record.end === undefined) await save({ end })
  }

  /** Asks for actual and statistics, and judges the balloon. */
  const sample = async (): Promise<void> => {
    const actualMiB = balloonReply.parse(await ask('query-balloon')).actual / MIB
    const nowMs = clock.monotonic()
    if (lastUpdate <= updateAtReset || watch?.state === 'Moving') lastUpdate = (await askStats())['last-update']
    watch ??= found(actualMiB, nowMs)
    const before = watch
    const judged = judge(before, { actualMiB, driverSeen: lastUpdate > updateAtReset, running, nowMs })
    watch = judged.watch
    if (judged.retarget !== undefined) await ask('balloon', { value: judged.retarget * MIB })
    const moved = Math.round(actualMiB) !== Math.round(before.actualMiB)
    if (lifecycle === 'starting' && running && bootDone()) become('running')
    else if (before.state !== watch.state || (moved && watch.state !== 'Moving')) options.changed()
  }
  const askStats = async () =>
    guestStatsReply.parse(await ask('qom-get', { path: BALLOON_PATH, property: 'guest-stats' }))

  /** Looks often while something is awaited, and not at all otherwise (law 6). */
  const poll = (): void => {
    polling?.cancel()
    const awaited = lifecycle === 'starting' || (watch?.state === 'Moving' && lifecycle !== 'paused')
    if (!awaited || stopped.aborted) return
    polling = clock.after(BALLOON_POLL_MS, () => quietly('balloon', sample().finally(poll)))
  }

  const processGone = async (): Promise<boolean> =>
    (await world.processes.look(process.pid))?.startTicks !== process.startTicks

  /** Connects, and again whenever the connection breaks, until the process is gone. */
  const attend = async (): Promise<void> => {
    for (let failures = 0; !stopped.aborted; ) {
      try {
        qmp = await world.connect(spec.slot, follow)
        if (detached.signal.aborted) return qmp.close()
        const { UUID } = uuidReply.parse(await ask('query-uuid'))
        if (UUID !== uuidOf(spec.id)) throw new Error(`another machine (${UUID}) answers in slot ${spec.slot}`)
        cpuThreads = cpusReply.parse(await ask('query-cpus-fast')).map((cpu) => cpu['thread-id'])
        accelerator = kvmReply.parse(await ask('query-kvm')).enabled ? 'KVM' : 'TCG'
        await sample()
        await followStatus()
        await world.shutRunFolder(spec.slot)
        attached.resolve()
        failures = 0
        if (record.asked === 'stop' && !climbing) climb(GRACEFUL)
        await aborted(qmp.gone)
      } catch (error) {
        failures++
        if (failures === RECONNECT_FAST_TIMES)
          log.warn({ err: String(error) }, 'a VM cannot be reached; it is left alone')
      }
      qmp?.close()
      qmp = undefined
      if (detached.signal.aborted) return
      if (await processGone()) return conclude()
      await pause(failures < RECONNECT_FAST_TIMES ? RECONNECT_MS : RECONNECT_SLOWLY_MS)
    }
  }
  /** The process is gone. */
  const conclude = async (): Promise<void> => {
    if (stopped.aborted) return
    ended.abort()
    polling?.cancel()
    retry?.cancel()
    await options.over(record, cpuTimeMs)
    gone.resolve()
    attached.reject(new Error(`vm ${spec.id} ended before it could be reached`))
  }

  /** The guest has ended, or its end is ours: why is durable first, then QEMU goes, willing or not. */
  const finish = async (end: VmEnd): Promise<void> => {
    await noteEnd(end)
    if (!climbing || climbing.ladder === GRACEFUL) climb(FINISH)
  }
  let climbing: { ladder: Ladder; beganMs: number; overtaken: AbortController } | undefined
  /** Begins a ladder in the background; one under way is overtaken. */
  const climb = (ladder: Ladder): void => {
    const first = climbing === undefined
    climbing?.overtaken.abort()
    climbing = { ladder, beganMs: clock.monotonic(), overtaken: new AbortController() }
    become('stopping')
    if (first) quietly('stop', climbOn())
  }
  const climbOn = async (): Promise<void> => {
    while (climbing && !stopped.aborted) {
      const { ladder, beganMs, overtaken } = climbing
      const { step, againInMs } = stepAt(ladder, clock.monotonic() - beganMs)
      await take(step).catch((error) =>
        log.debug({ step, err: String(error) }, 'a step towards the end of a VM failed'),
      )
      await clock.sleep(againInMs, AbortSignal.any([stopped, overtaken.signal])).catch(() => {})
    }
  }
  const take = async (step: Step): Promise<void> => {
    switch (step) {
      case 'powerdown':
        // A paused guest hears nothing.
        if (!running) await ask('cont')
        return void (await ask('system_powerdown'))
      case 'quit':
        await noteEnd('host-quit')
        return void (await ask('quit'))
      case 'sigterm':
        return world.processes.signal(process, 'SIGTERM')
      case 'sigkill':
        await noteEnd('process-died')
        return world.processes.signal(process, 'SIGKILL')
    }
  }

  quietly('attend', attend())

  const needAlive = (): void => {
    if (ended.signal.aborted || lifecycle === 'stopping') throw new Error(`vm ${spec.id} is ${lifecycle}`)
  }
  const setMemoryTarget = async (wanted: MiB, floorNow: MiB = floorMiB): Promise<void> => {
    needAlive()
    floorMiB = floorNow
    const target = Math.min(spec.maxMiB, Math.max(floorMiB, wanted)) as MiB
    if (!watch) throw new Error(`vm ${spec.id} does not answer`)
    if (watch.targetMiB === target && (watch.state === 'Converged' || watch.state === 'Moving')) return
    await ask('balloon', { value: target * MIB })
    watch = aim(watch, target, clock.monotonic())
    options.changed()
    poll()
  }

  return {
    process,
    attached: () => attached.promise,
    state: () => ({
      id: spec.id,
      slot: spec.slot,
      lifecycle,
      memoryActualMiB: Math.round(watch?.actualMiB ?? spec.maxMiB),
      memoryTargetMiB: watch?.targetMiB ?? spec.maxMiB,
      cpuTimeMs,
      balloon: watch?.state ?? 'Converged',
      maxMiB: spec.maxMiB,
      ...(accelerator && { accelerator }),
      ...(fault && { fault }),
    }),
    async refresh() {
      cpuTimeMs = Math.max(cpuTimeMs, await world.processes.threadTimeMs(process.pid, cpuThreads))
      if (qmp && !stopped.aborted) await sample().catch(() => {})
    },
    async stop() {
      if (ended.signal.aborted || lifecycle === 'stopping') return
      await save({ asked: 'stop' })
      climb(GRACEFUL)
    },
    async cut() {
      if (ended.signal.aborted) return
      await save({ asked: 'end' })
      climb(CUT)
      await gone.promise
    },
    async pause() {
      needAlive()
      if (lifecycle === 'paused' && !fault) return
      held = fault !== undefined
      retry?.cancel()
      await ask('stop')
      await followStatus()
    },
    async resume() {
      needAlive()
      if (running) return
      held = false
      await ask('cont')
      await followStatus()
    },
    setMemoryTarget,
    async guestStats() {
      const { 'last-update': told, stats } = await askStats()
      if (told === 0) return undefined
      const mib = (bytes: number | undefined) => (bytes === undefined ? undefined : bytes / MIB)
      return {
        toldMs: told * 1000,
        freeMiB: mib(stats['stat-free-memory']),
        availableMiB: mib(stats['stat-available-memory']),
        totalMiB: mib(stats['stat-total-memory']),
        cachesMiB: mib(stats['stat-disk-caches']),
        majorFaults: stats['stat-major-faults'],
      }
    },
    detach() {
      detached.abort()
      gone.resolve()
      polling?.cancel()
      retry?.cancel()
      qmp?.close()
    },
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
