// A whole ceremony in this process: the machine from an address of the test's choice, the operator over the admin socket.
import { mkdirSync } from 'node:fs'
import net from 'node:net'
import { importBundle } from '../../../agent/bundles/import.ts'
import { initAgentKeys, publicHalves } from '../../../agent/keys/agent-keys.ts'
import { joinFleet } from '../../../agent/pairing/join.ts'
import { connectAdmin } from '../../../authority/admin/client.ts'
import { systemClock } from '../../../base/clock.ts'
import { diskFiles } from '../../../base/disk-files.ts'
import { silentLogger } from '../../../base/log.ts'
import { systemRandom } from '../../../base/random.ts'
import type { Connection } from '../../../base/transport.ts'
import type { JoiningFleet } from './fleet.ts'

const LOOK_MS = 50

/** Milliseconds from the declared Pairing to the bundle in the machine's state folder. */
export async function ceremony(fleet: JoiningFleet, name: string, from: string): Promise<number> {
  const clock = systemClock()
  const signal = AbortSignal.timeout(120_000)
  const [host = '', port] = fleet.address.split(':')
  const folder = fleet.stateDir(name)
  mkdirSync(folder, { recursive: true })
  const files = diskFiles(folder)
  const admin = await connectAdmin(fleet.state)
  if (!admin) throw new Error('no authority runs')
  let digits: string | undefined
  let declaredMs = 0

  const dial = () =>
    new Promise<Connection>((resolve, reject) => {
      const socket = net.connect({ host, port: Number(port), localAddress: from, allowHalfOpen: true, noDelay: true })
      socket.on('error', reject)
      socket.once('connect', () =>
        resolve({ stream: socket, remoteAddress: host, destroy: () => void socket.destroy() }),
      )
    })
  const operate = async (secret: { rendezvous: string; code: string }) => {
    const spec = { nodeName: name, ...secret }
    const pairing = `${name}-${secret.rendezvous.toLowerCase()}`
    await admin.create('Pairing', pairing, spec)
    declaredMs = clock.monotonic()
    while ((await admin.ceremony(pairing)).machine === undefined || digits === undefined)
      await clock.sleep(LOOK_MS, signal)
    await admin.amend(`Pairing/${pairing}`, { ...spec, sas: digits, decision: 'Approve' })
  }
  let operator: Promise<void> | undefined
  const { bundle, authorityFingerprint } = await joinFleet(
    {
      identity: publicHalves(await initAgentKeys(files, systemRandom)),
      ...{ agentVersion: '0.1.0', hostname: name, clock, random: systemRandom, log: silentLogger(), dial },
      show: (secret) => {
        operator = operate(secret)
      },
      compare: async (shown) => {
        digits = shown
        return 'person'
      },
    },
    signal,
  )
  await operator
  await importBundle(files, bundle, { authorityFingerprint })
  return clock.monotonic() - declaredMs
}
