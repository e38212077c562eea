// What a process takes, as the kernel counts it (proc(5)): the same figures for Node and Go.
import { readFileSync } from 'node:fs'

/** USER_HZ of every Linux that Node runs on. */
const TICKS_A_SECOND = 100

export interface Usage {
  /** VmRSS. */
  rssMiB: number
  /** RssAnon: of it, what is not a page of the program's own file, which is shared and can be read again. */
  ownMiB: number
  /** VmHWM: the most it ever was. */
  peakMiB: number
  /** User and system time of all its threads. */
  cpuMs: number
}

/** `status` and `stat` as /proc/PID has them. */
export function usageFrom(status: string, stat: string): Usage {
  const mib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024
  // The program's name stands in brackets and may hold anything: fields are counted behind it, from the third on.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  return { rssMiB: mib('VmRSS'), ownMiB: mib('RssAnon'), peakMiB: mib('VmHWM'), cpuMs: (ticks * 1000) / TICKS_A_SECOND }
}

export const usageOf = (pid: number): Usage =>
  usageFrom(readFileSync(`/proc/${pid}/status`, 'utf8'), readFileSync(`/proc/${pid}/stat`, 'utf8'))
