// The real driver in a process of its own, inside the network namespace that it started in, asked by lines of JSON on
// standard input. So it sees interfaces, /proc/sys and /var/run/wireguard exactly as an agent on that machine would.
import { createInterface } from 'node:readline'
import { linuxWireGuard } from '../../../agent/drivers/wireguard/linux.ts'
import type { WireGuardConfig } from '../../../agent/drivers/wireguard/port.ts'
import { systemClock } from '../../../base/clock.ts'
import { diskFiles } from '../../../base/disk-files.ts'
import { createLogger } from '../../../base/log.ts'
import { type Processes, systemProcesses } from '../../../base/processes.ts'

const [folder = ''] = process.argv.slice(2)
const ran: string[][] = []
const processes: Processes = {
  run: (command, args, options) => {
    ran.push([command, ...args])
    return systemProcesses().run(command, args, options)
  },
}
const driver = linuxWireGuard({
  processes,
  clock: systemClock(),
  log: createLogger({ level: 'info', format: 'text' }),
  files: diskFiles(folder),
})
const say = (message: unknown) => process.stdout.write(`${JSON.stringify(message)}\n`)
driver.onChange(() => say({ event: 'change' }))

const CALLS: Record<string, (argument: never) => unknown> = {
  read: (name: string) => driver.read(name),
  apply: (config: WireGuardConfig) => driver.apply(config),
  remove: (name: string) => driver.remove(name),
  /** Programs run since the last question. */
  ran: () => ran.splice(0),
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, call, argument } = JSON.parse(line) as { id: number; call: string; argument: never }
  Promise.resolve()
    .then(() => CALLS[call]?.(argument))
    .then(
      (result) => say({ id, result }),
      (error) => say({ id, error: String(error) }),
    )
}
driver.close()
