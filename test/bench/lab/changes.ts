// What a change of the hub's interface costs those who are sending meanwhile: by the driver, and by `wg syncconf`, which
// is what a person's script runs after writing a new file (wg(8), wg-quick(8)).
import { runOk } from '../../../base/processes.ts'
import { hubFollows } from '../../system/wireguard/key-move.ts'
import { configOf, type Machine, NAME, newKeys, peerOf } from '../../system/wireguard/machine.ts'
import { answers, type RealMesh, until } from '../../system/wireguard/mesh.ts'
import { type Probe, probeDuring } from '../../system/wireguard/probe.ts'
import type { Figure } from './figures.ts'

const PROBE = { perSecond: 1_000, seconds: 3 }
/** Changes within one probe. */
const TIMES = 5
const DRIVER = 'ppn'
const SYNCCONF = 'wg syncconf'

type Measure = (rounds: number) => Promise<Figure[]>

export function changeRows(mesh: RealMesh): Record<string, Measure> {
  const [hub, edge, desk] = mesh.machines as [Machine, Machine, Machine]
  const probing = (work: () => Promise<unknown>) => probeDuring(edge, desk.address, PROBE, work)
  /** Rounds of both, taking turns, so that a busy moment of the machine meets both. */
  const sideBySide = async (
    what: string,
    rounds: number,
    ours: (time: number) => Promise<unknown>,
    theirs: (time: number) => Promise<unknown>,
    goal?: Figure['goal'],
  ): Promise<Figure[]> => {
    const figures: Figure[] = [
      { what, by: DRIVER, samples: [], lost: 0, of: 0, ...(goal && { goal }) },
      { what, by: SYNCCONF, samples: [], lost: 0, of: 0 },
    ]
    for (let round = 0; round < rounds; round++) {
      for (const [i, work] of [ours, theirs].entries()) {
        const figure = figures[i] as Figure & { samples: number[] }
        const cost = await probing(async () => {
          for (let time = 0; time < TIMES; time++) figure.samples.push(await timed(() => work(time)))
        })
        figure.lost += cost.lost
        figure.of += cost.sent
        await mesh.join()
      }
    }
    return figures
  }
  /** A file as a person keeps it, of the interface as it is now. */
  const writeConf = (file: string, more = '') =>
    hub.run('sh', '-c', `umask 077; { wg showconf ${NAME}; printf '%s' "$1"; } > ${file}`, 'sh', more)
  const syncConf = (file: string) => runOk(hub.namespace.processes, 'wg', ['syncconf', NAME, file])

  return {
    async 'no-op'(rounds) {
      await writeConf('/run/same.conf')
      const goal = { text: '0 lost', met: (f: Figure) => f.lost === 0 }
      const again = () => hub.driver.apply(mesh.config('hub'))
      return sideBySide('a reconcile that changes nothing', rounds, again, () => syncConf('/run/same.conf'), goal)
    },
    async 'peer-added'(rounds) {
      const config = mesh.config('hub')
      const { publicKey } = newKeys()
      const with1 = { ...config, peers: [...config.peers, peerOf({ publicKey, address: '10.8.0.99' })] }
      await writeConf('/run/without.conf')
      await writeConf('/run/with.conf', `\n[Peer]\nPublicKey = ${publicKey}\nAllowedIPs = 10.8.0.99/32\n`)
      return sideBySide(
        'a peer added, or removed again',
        rounds,
        (time) => hub.driver.apply(time % 2 === 0 ? with1 : config),
        (time) => syncConf(time % 2 === 0 ? '/run/with.conf' : '/run/without.conf'),
      )
    },
    async 'device-destroyed'(rounds) {
      const costs: Probe[] = []
      for (let round = 0; round < rounds; round++) {
        const destroy = () => hub.run('ip', 'link', 'delete', 'dev', NAME)
        costs.push(await probeDuring(edge, hub.address, PROBE, destroy))
        await mesh.join()
      }
      const goal = { text: 'under 1 s', met: (f: Figure) => Math.max(...f.samples) < 1_000 }
      return [outage("the hub's device destroyed, an active spoke", costs, goal)]
    },
    async 'key-change'(rounds) {
      const rtts = await roundTrips(edge, desk.address)
      const limitMs = 50 + 2 * Math.max(...rtts)
      const costs: Probe[] = []
      for (let round = 0; round < rounds; round++) {
        const { publicKey, privateKey } = newKeys()
        await hubFollows(mesh, edge, { key: edge.publicKey, staged: publicKey }, 0)
        const config = configOf(edge, mesh.config('edge').peers, { privateKey })
        const switching = () =>
          Promise.all([
            hubFollows(mesh, edge, { key: publicKey, former: edge.publicKey }, 0),
            edge.driver.apply(config),
          ])
        costs.push(await probing(switching))
        await mesh.join()
        await until(() => answers(edge, desk.address))
      }
      const text = `50 ms + 2 round trips: ${limitMs.toFixed(0)} ms`
      return [outage("a spoke's key changed", costs, { text, met: (f) => Math.max(...f.samples) <= limitMs })]
    },
  }
}

const outage = (what: string, costs: readonly Probe[], goal: NonNullable<Figure['goal']>): Figure => ({
  what,
  by: DRIVER,
  samples: costs.map((c) => c.outageMs),
  lost: costs.reduce((sum, c) => sum + c.lost, 0),
  of: costs.reduce((sum, c) => sum + c.sent, 0),
  goal,
})

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begunMs = performance.now()
  await work()
  return performance.now() - begunMs
}

async function roundTrips(from: Machine, to: string): Promise<number[]> {
  const text = await from.run('ping', '-n', '-c', '20', '-i', '0.05', to)
  return [...text.matchAll(/time=([0-9.]+)/g)].map(([, ms]) => Number(ms))
}
