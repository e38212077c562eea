// An agent's process, as far as VMs are concerned: holds the driver, and does what a line of its input says.
// `node holder.ts STATE RUN`, then lines of {call, args}; each is answered by a line of {returned} or {failed}.
import { createInterface } from 'node:readline'
import { qemuVm } from '../../../agent/drivers/vm/qemu.ts'
import { systemClock } from '../../../base/clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { NOBODY } from './nobody.ts'

const [stateFolder = '', runFolder = ''] = process.argv.slice(2)
const driver = qemuVm({
  ...{ clock: systemClock(), log: silentLogger(), stateFolder, runFolder },
  ...{ user: NOBODY, accelerator: 'tcg' as const },
})
for await (const line of createInterface({ input: process.stdin })) {
  const { call, args } = JSON.parse(line) as { call: 'start' | 'list' | 'stop' | 'pidOf' | 'pause'; args: never[] }
  const answer = await (driver[call] as (...given: never[]) => Promise<unknown>)(...args).then(
    (returned) => ({ returned }),
    (error) => ({ failed: String(error) }),
  )
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
