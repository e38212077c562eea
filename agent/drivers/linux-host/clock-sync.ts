// Is the kernel's clock synchronised? adjtimex(2) knows; Node cannot ask it, so a program does. In this order:
//
//   busybox adjtimex   the call itself, printed
//   timedatectl        systemd-timedated makes the call; there on every Debian with systemd
//   chronyc            what chronyd believes, where neither of the two can be asked
//   /run/systemd/timesync/synchronized   systemd-timesyncd has set the clock since the machine started
//
// The first that answers decides. Nobody answers: not synchronised, which is the answer that refuses no command.
import type { Processes } from '../../../base/processes.ts'
import type { KernelFiles } from '../kernel-files.ts'

/**
 * NTP_PHASE_LIMIT of the kernel, microseconds: an error this large is no synchronisation. It is the rule of
 * systemd-timedated too: STA_UNSYNC alone stays set under a chronyd without `rtcsync`.
 */
const MAX_ERROR_US = 16_000_000

const TIMESYNCD_MARK = '/run/systemd/timesync/synchronized'

/** undefined: it does not say. */
export function adjtimexSays(output: string): boolean | undefined {
  const error = /^\s*maxerror:\s+(\d+)/m.exec(output)?.[1]
  return error === undefined ? undefined : Number(error) < MAX_ERROR_US
}

export function timedatectlSays(output: string): boolean | undefined {
  const word = output.trim()
  return word === 'yes' ? true : word === 'no' ? false : undefined
}

/** `chronyc -c tracking`: the last of its comma-separated fields is the leap status. */
export function chronycSays(output: string): boolean | undefined {
  const fields = output.trim().split(',')
  return fields.length < 10 ? undefined : fields.at(-1) !== 'Not synchronised'
}

const QUESTIONS: [string, string[], (output: string) => boolean | undefined][] = [
  ['busybox', ['adjtimex'], adjtimexSays],
  ['timedatectl', ['show', '--property=NTPSynchronized', '--value'], timedatectlSays],
  ['chronyc', ['-c', 'tracking'], chronycSays],
]

export async function askClockSync(processes: Processes, kernel: KernelFiles): Promise<boolean> {
  for (const [command, args, says] of QUESTIONS) {
    // A program that is missing, hangs or fails has not answered.
    const ran = await processes.run(command, args, { timeoutMs: 3_000 }).catch(() => undefined)
    const answer = ran?.exitCode === 0 ? says(ran.stdout) : undefined
    if (answer !== undefined) return answer
  }
  return kernel.read(TIMESYNCD_MARK) !== undefined
}
