// `npm run bench:vm [-- TIMES]`: a real guest's boot, balloon, pause and stop under QEMU, 7 times by default.
import { runPaths } from '../../../agent/drivers/vm/qemu/arguments.ts'
import { systemClock } from '../../../base/clock.ts'
import { socketConsole } from '../../../hack/guest/console.ts'
import installPackages from '../../system/packages.ts'
import { boot, stateOf, until, vmHost } from '../../system/vm/host.ts'
import { machine } from '../table.ts'

const clock = systemClock()
const times = Number(process.argv[2] ?? 7)
if (!Number.isInteger(times) || times < 1) {
  process.stderr.write('usage: bench:vm [TIMES]\n')
  process.exit(64) // EX_USAGE of sysexits(3)
}
await installPackages()
const host = await vmHost()
const driver = host.driver()
const taken = new Map<string, number[]>()
const note = (what: string, ms: number) => taken.set(what, [...(taken.get(what) ?? []), ms])
/** Milliseconds until `work` is over. */
const timed = async (what: string, work: () => Promise<unknown>): Promise<void> => {
  const beganMs = clock.monotonic()
  await work()
  note(what, clock.monotonic() - beganMs)
}

try {
  for (let i = 0; i < times; i++) {
    const spec = await host.spec('willing')
    const state = () => stateOf(driver, spec)
    const memory = (mib: number) => async () => {
      await driver.setMemoryTarget(spec.id, mib)
      await until(state, (vm) => vm.balloon === 'Converged' && vm.memoryActualMiB === mib)
    }
    const beganMs = clock.monotonic()
    await timed('start: QEMU runs and answers', () => driver.start(spec))
    const guest = socketConsole(runPaths(host.runFolder, spec.slot).console)
    await guest.ready()
    note('boot: from start to a guest that answers', clock.monotonic() - beganMs)
    await boot(driver, spec)
    await timed('balloon from 512 to 128 MiB', memory(spec.floorMiB))
    await timed('balloon from 128 to 512 MiB', memory(spec.maxMiB))
    await timed('suspend and resume', async () => {
      await driver.pause(spec.id)
      await driver.resume(spec.id)
    })
    await timed('stop: power button to the end of the process', async () => {
      await driver.stop(spec.id)
      await until(state, ({ lifecycle }) => lifecycle === 'stopped')
    })
    guest.close()
  }
} finally {
  await host.close()
}
const row = ([what, ms]: [string, number[]]): string => {
  const sorted = ms.toSorted((a, b) => a - b)
  const at = (share: number) => ((sorted[Math.round((sorted.length - 1) * share)] as number) / 1000).toFixed(2)
  return `| ${what} | ${ms.length} | ${at(0.5)} s | ${at(0)} - ${at(1)} |`
}
process.stdout.write(
  ['', machine(), '', '| what | samples | median | spread |', '|---|---|---|---|', ...[...taken].map(row), ''].join(
    '\n',
  ),
)
process.exit(0)
