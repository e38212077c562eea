// The processes of this host, as far as VMs are concerned (proc_pid_stat(5), proc_pid_cmdline(5)).
import { readdir, readFile } from 'node:fs/promises'

/** A pid is given again; with its start time it is one process. */
export interface ProcessId {
  pid: number
  /** Clock ticks since the host booted. */
  startTicks: number
}

export interface ProcessLook extends ProcessId {
  /** User and system time of all its threads. */
  cpuTimeMs: number
  residentMiB: number
}

export interface ProcessTable {
  /** Random for each run of the kernel. */
  hostBootId(): Promise<string>
  /** undefined: gone. A process that has ended and only waits to be reaped is gone. */
  look(pid: number): Promise<ProcessLook | undefined>
  /** User and system time of some threads of a process; one that is gone counts nothing. */
  threadTimeMs(pid: number, threads: readonly number[]): Promise<number>
  /** Every process with its argument list. */
  argumentLists(): Promise<{ pid: number; args: string[] }[]>
  /** No error when it is gone. */
  signal(process: ProcessId, signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

/** USER_HZ: 100 on every Linux this runs on. */
const TICK_MS = 10
const PAGE_MIB = 4096 / 1024 / 1024

/** undefined: the text is not whole, or the process is a zombie (Z) or dead (X). */
export function parseStat(text: string): ProcessLook | undefined {
  const pid = Number.parseInt(text, 10)
  // The name in parentheses may hold anything, parentheses included.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .trim()
    .split(' ')
  // Field 3 (state) is the first after the name; utime is 14, stime 15, starttime 22, rss 24.
  const field = (number: number) => Number(fields[number - 3])
  const look = {
    pid,
    startTicks: field(22),
    cpuTimeMs: (field(14) + field(15)) * TICK_MS,
    residentMiB: field(24) * PAGE_MIB,
  }
  const gone = fields[0] === 'Z' || fields[0] === 'X'
  return gone || Object.values(look).some(Number.isNaN) ? undefined : look
}

/** A process that ends while it is read is gone: ENOENT, or ESRCH from an open file. */
async function readProc(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return ''
    throw error
  })
}

export function systemProcessTable(): ProcessTable {
  const look = async (pid: number) => parseStat(await readProc(`/proc/${pid}/stat`))
  return {
    hostBootId: async () => (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(),
    look,
    async threadTimeMs(pid, threads) {
      const looks = await Promise.all(
        threads.map(async (thread) => parseStat(await readProc(`/proc/${pid}/task/${thread}/stat`))),
      )
      return looks.reduce((sum, thread) => sum + (thread?.cpuTimeMs ?? 0), 0)
    },
    async argumentLists() {
      const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
      const lists = await Promise.all(
        pids.map(async (pid) => ({ pid, args: (await readProc(`/proc/${pid}/cmdline`)).split('\0') })),
      )
      return lists.filter(({ args }) => args.length > 1)
    },
    async signal({ pid, startTicks }, signal) {
      if ((await look(pid))?.startTicks !== startTicks) return
      try {
        process.kill(pid, signal)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    },
  }
}
